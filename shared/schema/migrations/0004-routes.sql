-- What a driver is asked and has to do. The row in routes is the one that every change of
-- a driver's plan locks, so that a seat is never promised twice.

CREATE TABLE IF NOT EXISTS routes (
  id             BIGINT          NOT NULL PRIMARY KEY,
  driver_id      BIGINT          NOT NULL,
  vehicle_id     BIGINT          NOT NULL,
  seats          TINYINT UNSIGNED NOT NULL,
  status         VARCHAR(8)      NOT NULL,
  version        INT UNSIGNED    NOT NULL DEFAULT 0,
  event_seq      INT UNSIGNED    NOT NULL DEFAULT 0,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_driver (driver_id, status)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS stops (
  id             BIGINT          NOT NULL PRIMARY KEY,
  route_id       BIGINT          NOT NULL,
  ride_id        BIGINT          NOT NULL,
  kind           VARCHAR(8)      NOT NULL,
  position       INT UNSIGNED    NOT NULL,
  lat            DOUBLE          NOT NULL,
  lon            DOUBLE          NOT NULL,
  seats          TINYINT UNSIGNED NOT NULL,
  eta_at         DATETIME(3)     NOT NULL,
  latest_at      DATETIME(3)     NOT NULL,
  status         VARCHAR(10)     NOT NULL,
  arrived_at     DATETIME(3)     NULL,
  done_at        DATETIME(3)     NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_route (route_id, status),
  KEY by_ride (ride_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS offers (
  id             BIGINT          NOT NULL PRIMARY KEY,
  ride_id        BIGINT          NOT NULL,
  driver_id      BIGINT          NOT NULL,
  route_id       BIGINT          NOT NULL,
  status         VARCHAR(10)     NOT NULL,
  expires_at     DATETIME(3)     NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_ride (ride_id),
  KEY by_driver (driver_id, status),
  KEY due (status, expires_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

-- What the driver's stream replays: seq is the offset the app resumes from.
CREATE TABLE IF NOT EXISTS driver_events (
  id             BIGINT          NOT NULL PRIMARY KEY,
  driver_id      BIGINT          NOT NULL,
  seq            BIGINT UNSIGNED NOT NULL,
  type           VARCHAR(32)     NOT NULL,
  data           JSON            NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY in_order (driver_id, seq)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
