-- The price of a ride as data. The first card carries an explicit version, the same in each
-- region, so that both regions start identical without a change having travelled.

CREATE TABLE IF NOT EXISTS fare_cards (
  id             BIGINT          NOT NULL PRIMARY KEY,
  version        INT UNSIGNED    NOT NULL,
  effective_from DATETIME(3)     NOT NULL,
  body           JSON            NOT NULL,
  unit           TINYINT UNSIGNED NOT NULL,
  created_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
  updated_at     DATETIME(3)     NOT NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3),
  _hlc           BIGINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  _origin        TINYINT UNSIGNED NOT NULL DEFAULT 0 INVISIBLE,
  UNIQUE KEY one_card_a_version (version)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;

INSERT IGNORE INTO fare_cards (id, version, effective_from, body, unit, created_at, updated_at, _hlc, _origin)
VALUES (1, 1, '2024-01-01 00:00:00.000',
  '{"currency":"USD","baseCents":255,"perKmCents":109,"perMinuteCents":35,"minimumCents":800,"extraSeatPermille":150,"poolingDiscountPermille":250,"taxPermille":89,"commissionPermille":200}',
  0, '2024-01-01 00:00:00.000', '2024-01-01 00:00:00.000', 1, 1);
