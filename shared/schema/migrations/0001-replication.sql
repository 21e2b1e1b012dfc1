-- What replication keeps for itself. None of these tables is compared between regions,
-- and of them only _heartbeats travels.

CREATE TABLE IF NOT EXISTS _checkpoints (
  source         VARCHAR(32)     NOT NULL,
  partition_no   INT UNSIGNED    NOT NULL,
  next_offset    BIGINT UNSIGNED NOT NULL,
  watermark_hlc  BIGINT UNSIGNED NOT NULL DEFAULT 0,
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  PRIMARY KEY (source, partition_no)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- id is a hash of table, row and both versions, so that a conflict met twice is written once.
CREATE TABLE IF NOT EXISTS _conflicts (
  id             BIGINT          NOT NULL PRIMARY KEY,
  table_name     VARCHAR(64)     NOT NULL,
  row_id         BIGINT          NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  kind           VARCHAR(24)     NOT NULL,
  rule           VARCHAR(24)     NOT NULL,
  outcome        VARCHAR(16)     NOT NULL,
  local_hlc      BIGINT UNSIGNED NOT NULL,
  local_origin   TINYINT UNSIGNED NOT NULL,
  remote_hlc     BIGINT UNSIGNED NOT NULL,
  remote_origin  TINYINT UNSIGNED NOT NULL,
  local_image    JSON            NULL,
  remote_image   JSON            NULL,
  detected_at    DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  KEY by_row (table_name, row_id),
  KEY by_time (detected_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS _tombstones (
  table_name     VARCHAR(64)     NOT NULL,
  row_id         BIGINT          NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  _hlc           BIGINT UNSIGNED NOT NULL,
  _origin        TINYINT UNSIGNED NOT NULL,
  deleted_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  PRIMARY KEY (table_name, row_id),
  KEY by_time (deleted_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- One row a region, id = its origin number; `at` is the writer's clock in UTC.
CREATE TABLE IF NOT EXISTS _heartbeats (
  id             BIGINT          NOT NULL PRIMARY KEY,
  unit           TINYINT UNSIGNED NOT NULL DEFAULT 0,
  beat           BIGINT UNSIGNED NOT NULL,
  at             DATETIME(6)     NOT NULL,
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
