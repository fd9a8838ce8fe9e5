-- Where accounts have logged in from lately: a ban of the account, for guesses that come from
-- elsewhere, does not hold there. Rows are deleted after 30 days. And what transfers in
-- progress have moved so far: traffic is exact to a few seconds even if a node dies.

-- +goose Up
CREATE TABLE IF NOT EXISTS login_places (
    username VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- An address, or with IPv6 its /64.
    network  VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    last_at  DATETIME NOT NULL,
    PRIMARY KEY (username, network)
    /*! , INDEX (last_at) */
) /*! CHARACTER SET utf8mb4 */;

CREATE TABLE IF NOT EXISTS traffic_running (
    -- The transfer, among all nodes and for all times.
    id         VARCHAR(64) /*! CHARACTER SET ascii COLLATE ascii_bin */ NOT NULL,
    username   VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    day        VARCHAR(10) NOT NULL,
    direction  VARCHAR(4) NOT NULL,
    bytes      BIGINT NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    PRIMARY KEY (id)
    /*! , INDEX (updated_at) */
) /*! CHARACTER SET utf8mb4 */;

DROP VIEW IF EXISTS v_traffic;
CREATE VIEW v_traffic AS
SELECT username, day, direction, SUM(bytes) AS bytes, SUM(files) AS files FROM (
    SELECT username, day, direction, bytes, files FROM traffic
    UNION ALL
    SELECT username, day, direction, bytes, 0 FROM traffic_running
) AS parts
GROUP BY username, day, direction;

-- +goose Down
DROP VIEW IF EXISTS v_traffic;
CREATE VIEW v_traffic AS
SELECT username, day, direction, bytes, files FROM traffic;
DROP TABLE IF EXISTS traffic_running;
DROP TABLE IF EXISTS login_places;
