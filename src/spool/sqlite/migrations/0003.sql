-- Storms, limits and budgets; who is silent.

-- What an SMS has to pass before it may be due: JSON; NULL for nothing.
ALTER TABLE sms ADD COLUMN passage TEXT;

-- What the operator is to be told by mail.
CREATE TABLE notice (
  -- Never given twice, so that whoever has logged one knows which are new.
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  -- The less, the sooner it is mailed: 0 of budgets, 1 of limits.
  rank INTEGER NOT NULL,
  at INTEGER NOT NULL,
  -- What it is about; one mail may tell several of one subject.
  about TEXT NOT NULL,
  words TEXT NOT NULL
) STRICT;
CREATE INDEX notice_rank ON notice (rank, seq);

-- What was charged to budgets, by period; when that began, in milliseconds, and when it ends.
CREATE TABLE spent (
  budget TEXT NOT NULL,
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  -- Parts, or millionths of the account's currency.
  amount INTEGER NOT NULL,
  -- The levels of which the operator was told: 1 warn, 2 hold, 4 ceiling.
  told INTEGER NOT NULL,
  PRIMARY KEY (budget, begins)
) STRICT, WITHOUT ROWID;
CREATE INDEX spent_ends ON spent (ends);
CREATE INDEX sms_held_by_budget ON sms (next_at) WHERE state = 'held' AND hold_reason = 'budget';
-- Who is to be heard of, and when they were. Only who is expected has a row.
CREATE TABLE heard (
  -- `account:ups`
  who TEXT PRIMARY KEY,
  -- From when on they are expected.
  since INTEGER NOT NULL,
  -- When a mail or form of theirs was accepted last.
  at INTEGER,
  -- It is written again once so many milliseconds have passed.
  grain INTEGER NOT NULL,
  -- How many milliseconds of the time since then the relay itself was not there.
  away INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Storms: what is told by a summary, and what limits have let pass.

-- By what a recovery finds this one while it is held or folded; `=` stands before it, `~` where it is only simulated.
ALTER TABLE sms ADD COLUMN pair_key TEXT;
-- What it was folded into. It ends as that one's summary, and takes no parts of its account.
ALTER TABLE sms ADD COLUMN fold INTEGER;
CREATE INDEX sms_pair ON sms (destination, pair_key, state)
  WHERE pair_key IS NOT NULL AND state IN ('held', 'folded') AND damaged = 0;
CREATE INDEX sms_fold ON sms (fold) WHERE fold IS NOT NULL;
CREATE INDEX sms_folded ON sms (fold) WHERE state = 'folded' AND damaged = 0;

CREATE TABLE fold (
  seq INTEGER PRIMARY KEY,
  -- similar, digest or overflow.
  kind TEXT NOT NULL,
  -- Begins as `sms.pair_key` does.
  key TEXT NOT NULL,
  -- open: others fold into it; sent: its summary is on its way, or folded itself; closing: that has ended, and what was
  -- folded ends in portions; closed.
  state TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  -- How long it gathers at most, as it was meant.
  window_ms INTEGER NOT NULL,
  -- While nothing was folded: when it is forgotten.
  until INTEGER NOT NULL,
  -- What the first said.
  words TEXT NOT NULL,
  -- How many SMS its summary stands for; when the first and the last of them were accepted.
  count INTEGER NOT NULL DEFAULT 0,
  first_at INTEGER,
  last_at INTEGER,
  -- The SMS that tells of them; NULL while nothing was folded.
  summary INTEGER REFERENCES sms (seq),
  -- Of that one, once it is released.
  lifetime_ms INTEGER NOT NULL DEFAULT 0,
  -- Parts that it may have, and the time zone of its times.
  most_parts INTEGER NOT NULL DEFAULT 1,
  zone TEXT
) STRICT;
CREATE UNIQUE INDEX fold_open ON fold (kind, key) WHERE state = 'open';
CREATE UNIQUE INDEX fold_summary ON fold (summary) WHERE summary IS NOT NULL;
CREATE INDEX fold_empty ON fold (until) WHERE state = 'open' AND summary IS NULL;
CREATE INDEX fold_unfinished ON fold (summary) WHERE state IN ('open', 'sent');
CREATE INDEX fold_closing ON fold (opened_at) WHERE state = 'closing';

-- What the SMS say that a fold gathers; of very many different ones only the first.
CREATE TABLE told (
  fold INTEGER NOT NULL REFERENCES fold (seq),
  words TEXT NOT NULL,
  -- Their order.
  n INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (fold, words)
) STRICT, WITHOUT ROWID;

-- When the last ones passed a limit.
CREATE TABLE passes (
  -- Begins as `sms.pair_key` does.
  key TEXT PRIMARY KEY,
  passed TEXT NOT NULL,
  -- When nothing of it counts any more.
  until INTEGER NOT NULL,
  -- Which submission was the last.
  submission TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX passes_until ON passes (until);

-- What waits for the platform passes the limits of its phone again before it goes.

-- When it was counted in them last; 0 once it counts no more, as it has waited since; NULL where it has none.
ALTER TABLE sms ADD COLUMN passed_at INTEGER;
CREATE INDEX sms_passed ON sms (destination, passed_at)
  WHERE state = 'due' AND attempts = 0 AND passed_at > 0 AND damaged = 0;

-- What was tried before and waits for room at its phone, or for the end of quiet hours, holds up nobody behind it.

CREATE INDEX sms_put_off ON sms (next_at)
  WHERE state = 'due' AND attempts > 0 AND passed_at = 0 AND damaged = 0;
