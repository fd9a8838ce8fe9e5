-- Keys of TLS session tickets, by which a client resumes its TLS session on any node. One a
-- day (UTC); secret is 32 bytes in hex.

-- +goose Up
CREATE TABLE IF NOT EXISTS ticket_keys (
    day    VARCHAR(10) NOT NULL,
    secret VARCHAR(64) NOT NULL,
    PRIMARY KEY (day)
);

-- +goose Down
DROP TABLE IF EXISTS ticket_keys;
