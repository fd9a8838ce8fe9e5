-- The nodes that serve this database, and the sessions on them. All times are UTC, by the
-- database's clock.

-- +goose Up
CREATE TABLE IF NOT EXISTS nodes (
    -- Each run of a node has an id of its own. Two rows of one name: a node that was
    -- restarted, or two that were given the same name.
    id            VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    name          VARCHAR(190) /*! COLLATE utf8mb4_bin */ NOT NULL,
    address       VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL,
    version       VARCHAR(64) /*! COLLATE utf8mb4_bin */ NOT NULL,
    -- Ports of passive data connections; 0: any free one.
    passive_first INTEGER NOT NULL,
    passive_last  INTEGER NOT NULL,
    started_at    DATETIME(6) NOT NULL,
    seen_at       DATETIME(6) NOT NULL,
    -- Until when the node counts as alive, if it is not seen again.
    lease         DATETIME(6) NOT NULL,
    sessions      INTEGER NOT NULL DEFAULT 0,
    transfers     INTEGER NOT NULL DEFAULT 0,
    -- Set it to 1: the node takes no more sessions, lets transfers finish, and ends.
    draining      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (id)
) /*! CHARACTER SET utf8mb4 */;

CREATE TABLE IF NOT EXISTS sessions (
    node_id  VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    id       VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    node     VARCHAR(190) /*! COLLATE utf8mb4_bin */ NOT NULL,
    username VARCHAR(255) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- The client's address, and its port.
    address  VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    port     INTEGER NOT NULL,
    tls      INTEGER NOT NULL,
    since    DATETIME(6) NOT NULL,
    -- The last command that moved or changed a file, or the one that is being executed.
    verb     VARCHAR(16) /*! COLLATE utf8mb4_bin */ NOT NULL,
    path     VARCHAR(2048) /*! COLLATE utf8mb4_bin */ NOT NULL,
    -- Bytes that the session has moved over data connections, finished transfers only.
    bytes    BIGINT NOT NULL,
    PRIMARY KEY (node_id, id)
    /*! , INDEX (username), INDEX (address) */
) /*! CHARACTER SET utf8mb4 */;

-- Logins that are limited take turns: see package db. The rows stay as they are.
CREATE TABLE IF NOT EXISTS login_turns (
    slot INTEGER NOT NULL,
    turn BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (slot)
);

-- For people: the sessions of the nodes that are alive. IF(1, ...) is MySQL's way to say
-- what CURRENT_TIMESTAMP is in SQLite: the time in UTC, whatever the time zone.
DROP VIEW IF EXISTS v_sessions;
CREATE VIEW v_sessions AS
SELECT s.id, s.node, s.username, s.address, s.port, s.tls, s.since, s.verb, s.path, s.bytes, n.draining
FROM sessions s JOIN nodes n ON n.id = s.node_id
WHERE n.lease >= /*! IF(1, UTC_TIMESTAMP(), */ CURRENT_TIMESTAMP /*! ) */;

-- +goose Down
DROP VIEW IF EXISTS v_sessions;
DROP TABLE IF EXISTS login_turns;
DROP TABLE IF EXISTS sessions;
DROP TABLE IF EXISTS nodes;
