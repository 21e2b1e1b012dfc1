-- What operating replication keeps: changes that could not be applied, snapshots under way, who did what.
-- None of these tables travels.

-- A change that apply could not write ('poison'), or one of its unit that waits behind it ('held').
-- id is a hash of source, partition and offset, so that a change parked twice is parked once.
CREATE TABLE IF NOT EXISTS _dead_letters (
  id             BIGINT          NOT NULL PRIMARY KEY,
  source         VARCHAR(32)     NOT NULL,
  partition_no   INT UNSIGNED    NOT NULL,
  message_offset BIGINT UNSIGNED NOT NULL,
  kind           VARCHAR(8)      NOT NULL,
  state          VARCHAR(8)      NOT NULL,
  holds_unit     TINYINT(1)      NOT NULL,
  unit           TINYINT UNSIGNED NULL,
  table_name     VARCHAR(64)     NULL,
  row_id         BIGINT          NULL,
  code           VARCHAR(64)     NOT NULL,
  cause          VARCHAR(2000)   NOT NULL,
  tries          INT UNSIGNED    NOT NULL,
  message        LONGBLOB        NOT NULL,
  parked_at      DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  settled_at     DATETIME(3)     NULL,
  KEY waiting (state, source, unit, message_offset)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- A snapshot of this region's tables for the peer. Its row events are the low and high marks in the binlog.
CREATE TABLE IF NOT EXISTS _snapshots (
  id             BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
  state          VARCHAR(12)     NOT NULL,
  tables         TEXT            NOT NULL,
  table_name     VARCHAR(64)     NULL,
  after_id       BIGINT          NULL,
  mark           VARCHAR(48)     NULL,
  rows_done      BIGINT UNSIGNED NOT NULL DEFAULT 0,
  rows_per_second INT UNSIGNED   NOT NULL,
  requested_by   VARCHAR(64)     NOT NULL,
  reason         VARCHAR(255)    NOT NULL,
  failure        VARCHAR(1000)   NULL,
  requested_at   DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  KEY by_state (state)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What people made replication do, and why.
CREATE TABLE IF NOT EXISTS _audit (
  id             BIGINT          NOT NULL AUTO_INCREMENT PRIMARY KEY,
  at             DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  actor          VARCHAR(64)     NOT NULL,
  action         VARCHAR(64)     NOT NULL,
  subject        VARCHAR(255)    NOT NULL,
  reason         VARCHAR(255)    NOT NULL,
  details        JSON            NULL,
  KEY by_time (at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- With each heartbeat a region tells its peer up to which hlc it has applied the peer's changes, in all partitions.
ALTER TABLE _heartbeats ADD COLUMN seen_hlc BIGINT UNSIGNED NOT NULL DEFAULT 0 AFTER at;

-- The peer's binlog position that a partition's applied changes reach: what comes again from before it is a repetition.
ALTER TABLE _checkpoints ADD COLUMN position TEXT NULL AFTER next_offset;

-- Asked in every transaction of apply: which units wait. holds_unit is 1 for the first waiting letter of such a unit only.
ALTER TABLE _dead_letters ADD KEY holding (state, source, partition_no, holds_unit, unit);
