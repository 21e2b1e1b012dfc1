-- What is owed and what was booked. Amounts are integer cents; ledger entries are only ever
-- inserted, and those of one transaction sum to zero.

-- id = the ride's id: a ride is charged once. Written with the ride's completion, in the
-- ride's home region; read by payment in the payer's home region.
CREATE TABLE IF NOT EXISTS fares (
  id             BIGINT          NOT NULL PRIMARY KEY,
  ride_id        BIGINT          NOT NULL,
  payer_id       BIGINT          NOT NULL,
  payer_unit     TINYINT UNSIGNED NOT NULL,
  driver_id      BIGINT          NOT NULL,
  amount_cents   INT UNSIGNED    NOT NULL,
  currency       CHAR(3)         NOT NULL,
  breakdown      JSON            NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_fare_a_ride (ride_id),
  KEY by_time (created_at)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS payments (
  id             BIGINT          NOT NULL PRIMARY KEY,
  ride_id        BIGINT          NOT NULL,
  kind           VARCHAR(8)      NOT NULL,
  payer_id       BIGINT          NOT NULL,
  driver_id      BIGINT          NOT NULL,
  amount_cents   INT UNSIGNED    NOT NULL,
  currency       CHAR(3)         NOT NULL,
  method         VARCHAR(16)     NOT NULL,
  status         VARCHAR(12)     NOT NULL,
  version        INT UNSIGNED    NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_charge_a_kind (ride_id, kind),
  KEY by_payer (payer_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ledger_accounts (
  id             BIGINT          NOT NULL PRIMARY KEY,
  owner_id       BIGINT          NOT NULL,
  kind           VARCHAR(24)     NOT NULL,
  currency       CHAR(3)         NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_account_a_kind (owner_id, kind, currency, unit)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ledger_transactions (
  id             BIGINT          NOT NULL PRIMARY KEY,
  payment_id     BIGINT          NOT NULL,
  ride_id        BIGINT          NOT NULL,
  kind           VARCHAR(16)     NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_booking_a_payment (payment_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

CREATE TABLE IF NOT EXISTS ledger_entries (
  id             BIGINT          NOT NULL PRIMARY KEY,
  transaction_id BIGINT          NOT NULL,
  account_id     BIGINT          NOT NULL,
  amount_cents   BIGINT          NOT NULL,
  currency       CHAR(3)         NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  KEY by_transaction (transaction_id),
  KEY by_account (account_id)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
