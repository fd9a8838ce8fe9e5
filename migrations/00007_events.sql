-- What clients did, if audit.sinks has sql, and how much they moved. Rows of events are
-- deleted by age; traffic is kept, and written together with them. All times are UTC.

-- +goose Up
CREATE TABLE IF NOT EXISTS events (
    time        DATETIME(6) NOT NULL,
    -- The same if an event is written again, so that it is there once.
    id          VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    node        VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL,
    session     VARCHAR(64) /*! COLLATE utf8mb4_bin */ NOT NULL,
    username    VARCHAR(255) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    remote      VARCHAR(64) /*! COLLATE utf8mb4_bin */ NOT NULL,
    tls         INTEGER NOT NULL,
    action      VARCHAR(32) /*! COLLATE utf8mb4_bin */ NOT NULL,
    path        VARCHAR(2048) /*! COLLATE utf8mb4_bin */ NOT NULL,
    target      VARCHAR(2048) /*! COLLATE utf8mb4_bin */ NOT NULL,
    bytes       BIGINT NOT NULL,
    duration_ms BIGINT NOT NULL,
    -- Why it failed; '' if it did not.
    error       VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL,
    PRIMARY KEY (time, id)
    /*! , INDEX (username, time), INDEX (session) */
) /*! CHARACTER SET utf8mb4 */;

CREATE TABLE IF NOT EXISTS traffic (
    day       VARCHAR(10) NOT NULL,
    username  VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- up or down.
    direction VARCHAR(4) NOT NULL,
    bytes     BIGINT NOT NULL,
    files     BIGINT NOT NULL,
    PRIMARY KEY (username, day, direction)
);

DROP VIEW IF EXISTS v_traffic;
CREATE VIEW v_traffic AS
SELECT username, day, direction, bytes, files FROM traffic;

-- +goose Down
DROP VIEW IF EXISTS v_traffic;
DROP TABLE IF EXISTS traffic;
DROP TABLE IF EXISTS events;
