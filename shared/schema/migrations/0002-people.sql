-- Who rides and who drives. An account's id is the user id of the verified token.

CREATE TABLE IF NOT EXISTS accounts (
  id             BIGINT          NOT NULL PRIMARY KEY,
  display_name   VARCHAR(100)    NOT NULL DEFAULT '',
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS vehicles (
  id             BIGINT          NOT NULL PRIMARY KEY,
  driver_id      BIGINT          NOT NULL,
  plate          VARCHAR(16)     NOT NULL,
  seats          TINYINT UNSIGNED NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_driver (driver_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
