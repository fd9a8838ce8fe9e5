-- One row is an account. It may be edited with any SQL client; the change holds for the
-- next login. Only username, password and bucket have no default; 0 or NULL in a limit
-- means none. All times are UTC.

-- +goose Up
CREATE TABLE IF NOT EXISTS users (
    -- Alice and alice are two accounts, and so are "alice" and "alice ".
    username      VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    -- $argon2id$..., $2b$..., or {plain}secret, which the first login replaces by a hash.
    password      VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL,
    -- A second password, for read-only sessions.
    ro_password   VARCHAR(255) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    bucket        VARCHAR(255) /*! COLLATE utf8mb4_bin */ NOT NULL,
    -- What every key of the account begins with, such as alice/; '' is the whole bucket.
    prefix        VARCHAR(1024) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT '',
    -- rw, ro, upload-only, or a list of list, download, upload, overwrite, append, delete,
    -- rename, mkdir, rmdir, times.
    permissions   VARCHAR(190) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT 'rw',
    -- active or suspended.
    status        VARCHAR(16) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT 'active',
    quota_bytes   BIGINT DEFAULT 0 CHECK (quota_bytes >= 0),
    quota_files   BIGINT DEFAULT 0 CHECK (quota_files >= 0),
    max_sessions  BIGINT DEFAULT 0 CHECK (max_sessions >= 0),
    -- Bytes a second.
    upload_rate   BIGINT DEFAULT 0 CHECK (upload_rate >= 0),
    download_rate BIGINT DEFAULT 0 CHECK (download_rate >= 0),
    -- Networks separated by commas, such as 10.0.0.0/8,2001:db8::1; empty: from everywhere.
    allowed_cidrs VARCHAR(2048) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    -- The charset of the client's file names; empty: found out.
    charset       VARCHAR(64) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    expires_at    DATETIME DEFAULT NULL,
    created_at    DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    last_login_at DATETIME DEFAULT NULL,
    CHECK (username <> ''),
    CHECK (bucket <> ''),
    CHECK (status IN ('active', 'suspended')),
    PRIMARY KEY (username)
);

-- +goose Down
DROP TABLE IF EXISTS users;
