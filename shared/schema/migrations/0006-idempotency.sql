-- One row a key a caller used: id is a hash of account and key, so both regions name the same row.

CREATE TABLE IF NOT EXISTS idempotency_keys (
  id             BIGINT          NOT NULL PRIMARY KEY,
  account_id     BIGINT          NOT NULL,
  idem_key       VARCHAR(255)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  request_hash   CHAR(64)        CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  status         VARCHAR(10)     NOT NULL,
  locked_until   DATETIME(3)     NOT NULL,
  response_status  SMALLINT UNSIGNED NULL,
  response_headers JSON          NULL,
  response_body  MEDIUMTEXT      NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_time (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
