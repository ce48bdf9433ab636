-- Times are milliseconds since 1970-01-01 UTC. Ids, numbers and states are the words of the logs.

CREATE TABLE submission (
  id TEXT PRIMARY KEY,
  received_at INTEGER NOT NULL,
  -- SMS of it that are due, claimed or unknown.
  pending INTEGER NOT NULL,
  -- When the first outcome ended that somebody is still to be told; NULL when there is none.
  case_at INTEGER,
  -- 1: could not be read back; set aside until the next start.
  damaged INTEGER NOT NULL DEFAULT 0,
  door TEXT NOT NULL,
  listener TEXT NOT NULL,
  client_address TEXT NOT NULL,
  helo TEXT,
  account TEXT,
  -- sender, operator or nobody; the mail address without quotes, or why nobody.
  report_to TEXT NOT NULL,
  report_address TEXT,
  report_reason TEXT,
  envid TEXT,
  ret TEXT,
  message_id TEXT,
  subject TEXT
) STRICT;

-- Apart from its submission, so that counting `pending` does not write it anew.
CREATE TABLE original (
  submission TEXT PRIMARY KEY REFERENCES submission (id),
  is_full INTEGER NOT NULL,
  content BLOB NOT NULL
) STRICT;

CREATE TABLE sms (
  -- The order of acceptance.
  seq INTEGER PRIMARY KEY,
  submission TEXT NOT NULL REFERENCES submission (id),
  ordinal INTEGER NOT NULL,
  -- due, claimed, unknown, sent; delivered, undelivered, failed, expired, cancelled.
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- When something is done about it next; NULL while claimed and in the end.
  next_at INTEGER,
  expires_at INTEGER NOT NULL,
  -- 1: the one SMS of its destination that may be tried.
  head INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  asked INTEGER NOT NULL DEFAULT 0,
  -- none, owed or told: whether somebody is to learn how it ended.
  report TEXT NOT NULL DEFAULT 'none',
  -- 1: could not be read back; set aside until the next start.
  damaged INTEGER NOT NULL DEFAULT 0,
  destination TEXT NOT NULL,
  sender TEXT NOT NULL,
  body TEXT NOT NULL,
  encoding TEXT NOT NULL,
  parts INTEGER NOT NULL,
  options TEXT NOT NULL,
  recipient TEXT NOT NULL,
  notify TEXT NOT NULL,
  orcpt_type TEXT,
  orcpt_address TEXT,
  rule TEXT NOT NULL,
  -- The platform's own count, once it has accepted.
  platform_parts INTEGER,
  platform_unicode INTEGER,
  ended_at INTEGER,
  cause TEXT,
  cause_status TEXT,
  cause_diagnostic TEXT,
  UNIQUE (submission, ordinal)
) STRICT;

-- At most one head for each destination, whatever the program does.
CREATE UNIQUE INDEX sms_head ON sms (destination) WHERE head = 1;
CREATE INDEX sms_queue ON sms (destination)
  WHERE state IN ('due', 'claimed', 'unknown') AND damaged = 0;
CREATE INDEX sms_claimable ON sms (next_at) WHERE state = 'due' AND head = 1 AND damaged = 0;
CREATE INDEX sms_expiring ON sms (expires_at) WHERE state = 'due' AND damaged = 0;
CREATE INDEX sms_claimed ON sms (since) WHERE state = 'claimed' AND damaged = 0;
CREATE INDEX sms_unknown ON sms (next_at) WHERE state = 'unknown' AND damaged = 0;
CREATE INDEX sms_sent ON sms (next_at) WHERE state = 'sent' AND damaged = 0;
CREATE INDEX sms_owed ON sms (submission, ended_at) WHERE report = 'owed' AND damaged = 0;
CREATE INDEX sms_damaged ON sms (state) WHERE damaged = 1;

CREATE INDEX submission_case ON submission (case_at) WHERE case_at IS NOT NULL AND damaged = 0;
CREATE INDEX submission_complete ON submission (case_at)
  WHERE case_at IS NOT NULL AND pending = 0 AND damaged = 0;
CREATE INDEX submission_damaged ON submission (id) WHERE damaged = 1;

CREATE TABLE attempt (
  sms INTEGER NOT NULL REFERENCES sms (seq),
  n INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  ended_at INTEGER,
  outcome TEXT,
  PRIMARY KEY (sms, n)
) STRICT, WITHOUT ROWID;

-- The timeline.
CREATE TABLE event (
  sms INTEGER NOT NULL REFERENCES sms (seq),
  n INTEGER NOT NULL,
  at INTEGER NOT NULL,
  state TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (sms, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE outgoing_mail (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  about TEXT NOT NULL REFERENCES submission (id),
  kind TEXT NOT NULL,
  -- due, claimed, sent or failed.
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  next_at INTEGER,
  expires_at INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  -- Why it had to wait, or failed.
  cause TEXT,
  damaged INTEGER NOT NULL DEFAULT 0,
  -- `<>`, or the mail address without quotes.
  reverse_path TEXT NOT NULL,
  recipient TEXT NOT NULL,
  bytes BLOB NOT NULL
) STRICT;

CREATE INDEX outgoing_mail_about ON outgoing_mail (about);
CREATE INDEX outgoing_mail_due ON outgoing_mail (next_at) WHERE state = 'due' AND damaged = 0;
CREATE INDEX outgoing_mail_claimed ON outgoing_mail (since) WHERE state = 'claimed' AND damaged = 0;
CREATE INDEX outgoing_mail_damaged ON outgoing_mail (state) WHERE damaged = 1;

-- One row that a probe writes to.
CREATE TABLE probe (id INTEGER PRIMARY KEY, writes INTEGER NOT NULL) STRICT;
INSERT INTO probe (id, writes) VALUES (1, 0);

-- For whoever looks with the sqlite3 shell: SELECT * FROM timeline WHERE message LIKE 'ID%';
CREATE VIEW timeline AS
  SELECT sms.submission || '-' || sms.ordinal AS message,
         strftime('%Y-%m-%d %H:%M:%f', event.at / 1000.0, 'unixepoch') AS at,
         event.state AS state, event.note AS note
  FROM event JOIN sms ON sms.seq = event.sms
  ORDER BY event.sms, event.n;
