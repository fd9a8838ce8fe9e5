-- What an account with a quota has stored, in bytes and files. A missing row means: not
-- counted yet. Deleting a row makes SPD count again.

-- +goose Up
CREATE TABLE IF NOT EXISTS usage_counts (
    username   VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    bytes      BIGINT NOT NULL DEFAULT 0,
    files      BIGINT NOT NULL DEFAULT 0,
    counted_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    PRIMARY KEY (username),
    FOREIGN KEY (username) REFERENCES users (username) ON DELETE CASCADE
);

-- +goose Down
DROP TABLE IF EXISTS usage_counts;
