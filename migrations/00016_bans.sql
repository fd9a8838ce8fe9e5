-- Who may not log in for a while, and the failed logins that lead to that. A ban may be made,
-- changed and deleted with any SQL client; it holds on every node within two seconds:
--   INSERT INTO bans (kind, subject, reason) VALUES ('address', '203.0.113.0/24', 'abuse');
--   INSERT INTO bans (kind, subject, until) VALUES ('account', 'alice', '2026-12-31 18:00:00');
-- All times are UTC.

-- +goose Up
CREATE TABLE IF NOT EXISTS bans (
    -- address or account.
    kind    VARCHAR(8) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    -- An address, 203.0.113.7; a network, 2001:db8::/64; or the name of an account.
    subject VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    reason  VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT 'by hand',
    since   DATETIME(6) NOT NULL DEFAULT (COALESCE(NULL, /*! UTC_TIMESTAMP(6), */ CURRENT_TIMESTAMP)),
    -- NULL: until the row is deleted.
    until   DATETIME(6) DEFAULT NULL,
    -- How often in a row the servers have made this ban; 0: a person has.
    strikes INTEGER NOT NULL DEFAULT 0 CHECK (strikes >= 0),
    -- The node that has made it; '': a person.
    node    VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT '',
    CHECK (kind IN ('address', 'account')),
    CHECK (subject <> ''),
    PRIMARY KEY (kind, subject)
    /*! , INDEX (until) */
) /*! CHARACTER SET utf8mb4 */;

CREATE TABLE IF NOT EXISTS login_failures (
    kind     VARCHAR(8) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    subject  VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- The ten seconds that begin then.
    at       DATETIME NOT NULL,
    failures INTEGER NOT NULL,
    PRIMARY KEY (kind, subject, at)
    /*! , INDEX (at) */
) /*! CHARACTER SET utf8mb4 */;

DROP VIEW IF EXISTS v_bans;
CREATE VIEW v_bans AS
SELECT kind, subject, reason, since, until, strikes, node FROM bans
WHERE until IS NULL OR until > COALESCE(NULL, /*! UTC_TIMESTAMP(6), */ CURRENT_TIMESTAMP);

-- +goose Down
DROP VIEW IF EXISTS v_bans;
DROP TABLE IF EXISTS login_failures;
DROP TABLE IF EXISTS bans;
