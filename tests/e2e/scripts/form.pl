# A form by Perl's LWP.
use strict;
use warnings;
use LWP::UserAgent;

my ($url, $password, $to, $text) = @ARGV;
my $agent = LWP::UserAgent->new(timeout => 30);
my $answer = $agent->post($url, [username => 'pbx', password => $password, to => $to, text => $text]);
die $answer->status_line . "\n" unless $answer->is_success;
print $answer->decoded_content;
