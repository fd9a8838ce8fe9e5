-- What accounts have in common. An account takes from its group what is NULL in its own row,
-- and a group takes from its parent what is NULL in its own; what is NULL everywhere has the
-- default that 00001_users.sql and docs/sql.md name. The columns mean the same in both tables.

-- +goose Up
CREATE TABLE IF NOT EXISTS `groups` (
    name          VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ NOT NULL,
    parent        VARCHAR(190) /*M! COLLATE utf8mb4_nopad_bin */ /*!80017 COLLATE utf8mb4_0900_bin */ DEFAULT NULL,
    -- suspended: no account of the group, or of a group below it, can log in.
    status        VARCHAR(16) /*! COLLATE utf8mb4_bin */ NOT NULL DEFAULT 'active',
    bucket        VARCHAR(255) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    -- %u stands for the account's name.
    prefix        VARCHAR(1024) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    permissions   VARCHAR(190) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    quota_bytes   BIGINT DEFAULT NULL CHECK (quota_bytes >= 0),
    quota_files   BIGINT DEFAULT NULL CHECK (quota_files >= 0),
    max_file_size BIGINT DEFAULT NULL CHECK (max_file_size >= 0),
    max_sessions  BIGINT DEFAULT NULL CHECK (max_sessions >= 0),
    upload_rate   BIGINT DEFAULT NULL CHECK (upload_rate >= 0),
    download_rate BIGINT DEFAULT NULL CHECK (download_rate >= 0),
    allowed_names VARCHAR(2048) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    denied_names  VARCHAR(2048) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    allowed_cidrs VARCHAR(2048) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    allowed_hours VARCHAR(512) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    tls_required  INTEGER DEFAULT NULL CHECK (tls_required IN (0, 1)),
    client_cn     VARCHAR(255) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    charset       VARCHAR(64) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    expires_at    DATETIME DEFAULT NULL,
    note          VARCHAR(1024) /*! COLLATE utf8mb4_bin */ DEFAULT NULL,
    created_at    DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    updated_at    DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP /*! ON UPDATE CURRENT_TIMESTAMP */,
    CONSTRAINT groups_name CHECK (name <> ''),
    CONSTRAINT groups_parent CHECK (parent <> name),
    CONSTRAINT groups_status CHECK (status IN ('active', 'suspended')),
    CONSTRAINT groups_bucket CHECK (bucket <> ''),
    CONSTRAINT groups_prefix CHECK (prefix NOT LIKE '/%' AND prefix NOT LIKE '%//%'
        /*! AND prefix NOT REGEXP '(^|/)[.][.]?(/|$)' */),
    CONSTRAINT groups_permissions CHECK (permissions <> ''
        /*! AND permissions REGEXP '^ *(none|rw|ro|upload-only|list|download|upload|overwrite|append|delete|rename|mkdir|rmdir|times) *(, *(none|rw|ro|upload-only|list|download|upload|overwrite|append|delete|rename|mkdir|rmdir|times) *)*$' */),
    CONSTRAINT groups_allowed_cidrs CHECK (LENGTH(allowed_cidrs) >= 0
        /*! AND allowed_cidrs REGEXP '^[0-9A-Fa-f:./, ]*$' */),
    PRIMARY KEY (name),
    CONSTRAINT groups_parent_exists FOREIGN KEY (parent) REFERENCES `groups` (name)
);

-- +goose Down
DROP TABLE IF EXISTS `groups`;
