//! The real program against the emulated platform and a mailbox, over real sockets: one behaviour a
//! file.

// What a test prints is for whoever reads why it skipped; a helper that fails ends its test.
#![allow(clippy::print_stdout, clippy::unwrap_used, unreachable_pub)]

mod support;

// The reader of the dialogues in `tests/smtp/`, whose notation captures have.
#[allow(dead_code, reason = "some of it is for that test alone")]
#[path = "../smtp/certificate.rs"]
mod certificate;
#[allow(dead_code, reason = "some of it is for that test alone")]
#[path = "../smtp/dialogue.rs"]
mod dialogue;
#[allow(dead_code, reason = "some of it is for that test alone")]
#[path = "../smtp/relay.rs"]
mod relay;

mod account_faults_lose_nothing;
mod accounts_have_limits;
mod accounts_over_smtp;
mod appliances;
mod bad_forms;
mod bad_mail;
mod behind_a_balancer;
mod budgets;
mod callbacks_and_questions;
mod callbacks_are_guarded;
mod callbacks_in_any_order;
mod callbacks_settle;
mod capture_files;
mod certificate_reload;
mod certificate_warnings;
mod check_runs_tests;
mod client_alertmanager;
mod client_curl;
mod client_exim;
mod client_lettre;
mod client_msmtp;
mod client_nodemailer;
mod client_postfix;
mod client_smtplib;
mod client_snail;
mod client_swaks;
mod clock_put_back;
mod command_line;
mod dead_men;
mod delivery_credit;
mod delivery_dry_run;
mod delivery_gateways;
mod delivery_gateways_at_reload;
mod delivery_lanes;
mod delivery_manual;
mod delivery_pace;
mod delivery_time;
mod delivery_timeline;
mod delivery_unknown;
mod destinations_are_apart;
mod drains_at_sigterm;
mod escalation_follows_silence;
mod escalation_of_one_phone;
mod expiry_bounces;
mod explain;
mod form_becomes_sms;
mod form_failure_goes_to_operator;
mod full_disk;
mod http_apprise;
mod http_curl;
mod http_gateway_clients;
mod http_monitoring;
mod http_scripts;
mod http_wget;
mod kannel_reports;
mod keyed_requests;
mod kill_at_random;
mod kill_between_steps;
mod kill_while_waiting;
mod late_reports;
mod logs_keep_secrets;
mod machines_get_no_bounce;
mod mail_becomes_sms;
mod manuals;
mod not_ready_without_room;
mod notify_is_obeyed;
mod on_call;
mod other_gateways;
mod overload;
mod platform_asks_for_patience;
mod platform_counts_otherwise;
mod platform_credentials;
mod platform_faults_are_outlived;
mod quiet_hours;
mod readme_commands;
mod refusal_bounces;
mod refused_at_rcpt;
mod reload_keeps_connections;
mod report_status_codes;
mod report_template;
mod report_through_postfix;
mod rules_decide;
mod schemathesis;
mod service_manager;
mod shown_by_id;
mod slow_clients;
mod smarthost_faults;
mod starts_that_fail;
mod storms;
mod synced_before_yes;
mod text_addressed_mail;
mod text_charsets;
mod text_form_as_it_is;
mod text_many_recipients;
mod text_placeholders;
mod text_reload;
mod text_rules_differ;
mod text_split_messages;
mod text_templates;
mod tls_scan;
mod told_programs;
mod unknown_outcomes;
mod ways_are_tried_in_order;
mod ways_legacy;
