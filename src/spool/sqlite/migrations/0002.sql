-- Lanes, holding, several gateways and ways, what callbacks say, who else is told.

-- Gateways by number, so that indexes stay small.
CREATE TABLE gateway (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- Orders in which gateways are tried: a JSON list of names; the empty one stands for all there are.
CREATE TABLE gateway_order (
  id INTEGER PRIMARY KEY,
  names TEXT NOT NULL UNIQUE
) STRICT;
INSERT INTO gateway_order (id, names) VALUES (1, '[]');

-- 0 critical, 1 normal, 2 bulk.
ALTER TABLE sms ADD COLUMN lane INTEGER NOT NULL DEFAULT 1;
ALTER TABLE sms ADD COLUMN gateway_order INTEGER NOT NULL DEFAULT 1;
-- The order at acceptance, once another one has taken its place for the current way.
ALTER TABLE sms ADD COLUMN first_order INTEGER;
-- Of the last attempt.
ALTER TABLE sms ADD COLUMN gateway INTEGER;
-- How often in a row it has said that it did not take this one.
ALTER TABLE sms ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;
-- A JSON list; NULL stands for one SMS by the universal door.
ALTER TABLE sms ADD COLUMN ways TEXT;
-- Which of them is tried, from 0.
ALTER TABLE sms ADD COLUMN way INTEGER NOT NULL DEFAULT 0;
-- How long a way that is not the last may stay silent.
ALTER TABLE sms ADD COLUMN silence_ms INTEGER;
-- SMS of a submission with the same number here may go in one call.
ALTER TABLE sms ADD COLUMN batch INTEGER;
-- resend or fail.
ALTER TABLE sms ADD COLUMN on_unknown TEXT NOT NULL DEFAULT 'resend';
-- While it is held: scheduled or escalation.
ALTER TABLE sms ADD COLUMN hold_reason TEXT;
-- 1: takes the place of its recipient's others when none of them is delivered.
ALTER TABLE sms ADD COLUMN escalation INTEGER NOT NULL DEFAULT 0;
-- The ordinal of the SMS that brings the same words to the same phone in place of this one, which is cancelled.
ALTER TABLE sms ADD COLUMN same_as INTEGER;
-- When its sender is told that it is late; NULL when nobody wants to know, and once it was told.
ALTER TABLE sms ADD COLUMN delayed_at INTEGER;
-- When it became late, while its sender is to be told.
ALTER TABLE sms ADD COLUMN late_at INTEGER;
-- Why it was last put off, for whom it is to be told that it is late.
ALTER TABLE sms ADD COLUMN wait_cause TEXT;
ALTER TABLE sms ADD COLUMN wait_status TEXT;
ALTER TABLE sms ADD COLUMN wait_diagnostic TEXT;
-- none, owed or told.
ALTER TABLE sms ADD COLUMN delay_report TEXT NOT NULL DEFAULT 'none';
ALTER TABLE sms ADD COLUMN expand_report TEXT NOT NULL DEFAULT 'none';

-- Where a program is told, and whose secret signs.
ALTER TABLE submission ADD COLUMN tell_url TEXT;
ALTER TABLE submission ADD COLUMN tell_account TEXT;
-- Of which ends, where it is told as Kannel tells; NULL for all, by a signed call.
ALTER TABLE submission ADD COLUMN tell_mask INTEGER;

ALTER TABLE attempt ADD COLUMN gateway INTEGER;
ALTER TABLE attempt ADD COLUMN channel TEXT NOT NULL DEFAULT 'SMS';

-- What the platform said of its own accord; the first final word about a part stays.
CREATE TABLE callback (
  sms INTEGER NOT NULL REFERENCES sms (seq),
  channel TEXT NOT NULL,
  part INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  code INTEGER NOT NULL,
  description TEXT NOT NULL,
  -- Millionths of the account's currency.
  price INTEGER,
  said_at INTEGER,
  at INTEGER NOT NULL,
  PRIMARY KEY (sms, channel, part)
) STRICT, WITHOUT ROWID;

-- Ids that the platform gave where it did not take ours.
CREATE TABLE platform_id (
  id TEXT PRIMARY KEY,
  sms INTEGER NOT NULL REFERENCES sms (seq)
) STRICT, WITHOUT ROWID;

-- Programs that want to know how an SMS ended.
CREATE TABLE telling (
  sms INTEGER PRIMARY KEY REFERENCES sms (seq),
  -- due, claimed, told or failed.
  state TEXT NOT NULL,
  since INTEGER NOT NULL,
  next_at INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  cause TEXT,
  damaged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX telling_due ON telling (next_at) WHERE state = 'due' AND damaged = 0;
CREATE INDEX telling_claimed ON telling (since) WHERE state = 'claimed' AND damaged = 0;
CREATE INDEX telling_damaged ON telling (state) WHERE damaged = 1;

-- Some mail is about no submission.
CREATE TABLE new_outgoing_mail (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  about TEXT REFERENCES submission (id),
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
INSERT INTO new_outgoing_mail (seq, id, about, kind, state, since, next_at, expires_at, attempts, cause, damaged,
    reverse_path, recipient, bytes)
  SELECT seq, id, about, kind, state, since, next_at, expires_at, attempts, cause, damaged, reverse_path, recipient,
    bytes FROM outgoing_mail;
DROP TABLE outgoing_mail;
ALTER TABLE new_outgoing_mail RENAME TO outgoing_mail;
CREATE INDEX outgoing_mail_about ON outgoing_mail (about);
CREATE INDEX outgoing_mail_due ON outgoing_mail (next_at) WHERE state = 'due' AND damaged = 0;
CREATE INDEX outgoing_mail_claimed ON outgoing_mail (since) WHERE state = 'claimed' AND damaged = 0;
CREATE INDEX outgoing_mail_damaged ON outgoing_mail (state) WHERE damaged = 1;

CREATE TABLE mail_event (
  mail INTEGER NOT NULL REFERENCES outgoing_mail (seq),
  n INTEGER NOT NULL,
  at INTEGER NOT NULL,
  state TEXT NOT NULL,
  note TEXT NOT NULL,
  PRIMARY KEY (mail, n)
) STRICT, WITHOUT ROWID;

-- What was sent before gateways had names here was sent by the only one there was.
INSERT INTO gateway (id, name) SELECT 1, '' WHERE EXISTS
  (SELECT 1 FROM sms WHERE attempts > 0 AND state IN ('due', 'claimed', 'unknown', 'sent'));
UPDATE sms SET gateway = 1 WHERE attempts > 0 AND state IN ('due', 'claimed', 'unknown', 'sent');

-- A case is complete once nothing of it may still happen; what was sent counts as pending from now on.
UPDATE submission SET pending = (SELECT count(*) FROM sms WHERE sms.submission = submission.id
  AND sms.state IN ('due', 'claimed', 'unknown', 'sent'));

DROP INDEX sms_head;
DROP INDEX sms_queue;
DROP INDEX sms_claimable;
DROP INDEX sms_unknown;
DROP INDEX sms_sent;
-- At most one head for each destination and lane, whatever the program does.
CREATE UNIQUE INDEX sms_head ON sms (destination, lane) WHERE head = 1;
CREATE INDEX sms_queue ON sms (destination, lane)
  WHERE state IN ('due', 'claimed', 'unknown') AND damaged = 0;
CREATE INDEX sms_claimable ON sms (lane, gateway_order, next_at)
  WHERE state = 'due' AND head = 1 AND damaged = 0;
CREATE INDEX sms_batch ON sms (submission, batch, next_at)
  WHERE state = 'due' AND head = 1 AND damaged = 0 AND batch IS NOT NULL;
CREATE INDEX sms_held_expiring ON sms (expires_at) WHERE state = 'held' AND damaged = 0;
CREATE INDEX sms_held ON sms (next_at) WHERE state = 'held' AND damaged = 0;
CREATE INDEX sms_escalation ON sms (submission, recipient) WHERE escalation = 1;
CREATE INDEX sms_same_as ON sms (submission, same_as) WHERE same_as IS NOT NULL;
CREATE INDEX sms_unknown ON sms (gateway, next_at) WHERE state = 'unknown' AND damaged = 0;
CREATE INDEX sms_sent ON sms (gateway, next_at) WHERE state = 'sent' AND damaged = 0;
CREATE INDEX sms_delayed ON sms (delayed_at) WHERE delayed_at IS NOT NULL AND damaged = 0;
CREATE INDEX sms_delay_owed ON sms (submission) WHERE delay_report = 'owed' AND damaged = 0;
CREATE INDEX sms_expand_owed ON sms (submission) WHERE expand_report = 'owed' AND damaged = 0;

-- What parts of the program remember from one start to the next.
CREATE TABLE note (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Callbacks that name an id which the answer to the call has not told yet.
CREATE TABLE early_callback (
  -- The platform's.
  id TEXT NOT NULL,
  channel TEXT NOT NULL,
  part INTEGER NOT NULL,
  parts INTEGER NOT NULL,
  code INTEGER NOT NULL,
  description TEXT NOT NULL,
  price INTEGER,
  said_at INTEGER,
  at INTEGER NOT NULL,
  PRIMARY KEY (id, channel, part)
) STRICT, WITHOUT ROWID;
CREATE INDEX early_callback_at ON early_callback (at);

-- By what name a client knows a request, so that one that comes again is taken once.
CREATE TABLE request_key (
  account TEXT NOT NULL,
  key TEXT NOT NULL,
  -- Which of the messages of the request, from 0.
  item INTEGER NOT NULL,
  -- SHA-256 of the request's body.
  digest BLOB NOT NULL,
  -- What the client was told of it: JSON.
  answer TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account, key, item)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_key_at ON request_key (at);
