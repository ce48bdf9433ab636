# Debian's client of Kannel. It puts its parameters in any order, and some that only a Kannel has.
use strict;
use warnings;
use NetSDS::Kannel;

my ($url, $password, $to, $text) = @ARGV;
my $kannel = NetSDS::Kannel->new(sendsms_url => $url, sendsms_user => 'pbx', sendsms_passwd => $password);
my $answer = $kannel->send(
    from => 'Kannel', to => $to, text => $text, smsc => 'modem', priority => 2, validity => 60, mclass => 1,
);
die $kannel->errstr . "\n" unless defined $answer;
print $answer;
