-- Which node does a job that only one may do at a time, and until when.

-- +goose Up
CREATE TABLE IF NOT EXISTS leases (
    job   VARCHAR(64) NOT NULL,
    node  VARCHAR(255) NOT NULL,
    lease DATETIME(6) NOT NULL,
    PRIMARY KEY (job)
);

-- +goose Down
DROP TABLE IF EXISTS leases;
