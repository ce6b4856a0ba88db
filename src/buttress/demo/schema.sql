-- The prototype of a product-content app as it grew: one file, written over a year.

CREATE TABLE users (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uuid VARCHAR(36) NOT NULL UNIQUE,
    username VARCHAR(50) NOT NULL,
    email VARCHAR(255) COLLATE NOCASE,
    name VARCHAR(100),
    password_hash VARCHAR(128) NOT NULL,
    role VARCHAR(20) NOT NULL DEFAULT 'user' CHECK (role IN ('user', 'admin')),
    is_active BOOLEAN NOT NULL DEFAULT 1,
    last_login DATETIME,
    products_created INTEGER NOT NULL DEFAULT 0,
    evaluations_completed INTEGER NOT NULL DEFAULT 0,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE UNIQUE INDEX users_username ON users (username COLLATE NOCASE);
CREATE UNIQUE INDEX users_active_email ON users (email) WHERE is_active = 1 AND email <> '';

CREATE TABLE user_sessions (
    token TEXT PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    remembered BOOLEAN NOT NULL DEFAULT 0,
    CHECK (expires_at > created_at)
) WITHOUT ROWID;
CREATE INDEX user_sessions_user ON user_sessions (user_id, expires_at DESC);

CREATE TABLE user_activity (
    id INTEGER PRIMARY KEY,
    user_id INTEGER REFERENCES users (id) ON DELETE SET NULL,
    action VARCHAR(40) NOT NULL,
    details JSON,
    duration_seconds REAL,
    created_at DATETIME NOT NULL
);
CREATE INDEX user_activity_recent ON user_activity (user_id, created_at);

CREATE TABLE production_models (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider VARCHAR(50) NOT NULL,
    model_name VARCHAR(100) NOT NULL,
    temperature DECIMAL(3, 2) NOT NULL DEFAULT 0.3,
    price_per_million DECIMAL(10, 4),
    UNIQUE (provider, model_name, temperature)
);

CREATE TABLE product_configurations (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    product_type VARCHAR(20) NOT NULL
        CHECK (product_type IN ('cosmetics', 'fragrance', 'subtype', 'supplement', 'tech')),
    sources JSON NOT NULL CHECK (json_valid(sources)),
    base_product TEXT,
    custom_instructions TEXT NOT NULL DEFAULT '',
    status VARCHAR(20) NOT NULL DEFAULT 'pending',
    is_template BOOLEAN NOT NULL DEFAULT 0,
    launch_on DATE,
    user_id INTEGER REFERENCES users (id),
    production_model_id INTEGER REFERENCES production_models (id),
    created_at DATETIME NOT NULL,
    updated_at DATETIME
);
CREATE INDEX product_configurations_open ON product_configurations (created_at)
    WHERE status <> 'completed';

CREATE TABLE evaluations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product_config_id VARCHAR(36) NOT NULL REFERENCES product_configurations (id) ON DELETE CASCADE,
    input_text TEXT NOT NULL,
    extracted_json JSON,
    structure_score INTEGER CHECK (structure_score BETWEEN 1 AND 5),
    content_score INTEGER CHECK (content_score BETWEEN 1 AND 5),
    translation_score INTEGER CHECK (translation_score BETWEEN 1 AND 5),
    overall_score NUMERIC(3, 2),
    quality TEXT GENERATED ALWAYS AS (
        CASE WHEN overall_score >= 4.5 THEN 'excellent'
             WHEN overall_score >= 3.5 THEN 'good'
             ELSE 'needs work' END
    ) VIRTUAL,
    llm_reasoning TEXT,
    evaluation_model VARCHAR(100),
    product_type VARCHAR(20),
    brand VARCHAR(100),
    product_name VARCHAR(200),
    ean VARCHAR(13),
    price DECIMAL(10, 2),
    latency_ms REAL,
    is_reviewed BOOLEAN NOT NULL DEFAULT 0,
    preview BLOB,
    user_id INTEGER REFERENCES users (id),
    production_model_id INTEGER REFERENCES production_models (id),
    created_at DATETIME NOT NULL
);
CREATE INDEX evaluations_by_type ON evaluations (product_type, overall_score DESC);
CREATE INDEX evaluations_brand ON evaluations (lower(brand));
CREATE INDEX evaluations_config ON evaluations (product_config_id);
CREATE INDEX evaluations_waiting ON evaluations (created_at) WHERE is_reviewed = 0;

CREATE TABLE human_feedback (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
    user_id INTEGER REFERENCES users (id),
    rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
    notes TEXT,
    created_at DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (evaluation_id, user_id)
);

CREATE TABLE evaluation_production_models (
    evaluation_id INTEGER NOT NULL REFERENCES evaluations (id) ON DELETE CASCADE,
    production_model_id INTEGER NOT NULL REFERENCES production_models (id),
    step VARCHAR(20) NOT NULL,
    tokens_in INTEGER NOT NULL,
    tokens_out INTEGER NOT NULL,
    cost_usd DECIMAL(10, 6) NOT NULL,
    PRIMARY KEY (evaluation_id, step)
);

CREATE VIEW evaluation_summary AS
    SELECT product_type, count(*) AS evaluations, round(avg(overall_score), 2) AS average_score,
           sum(CASE WHEN is_reviewed = 1 THEN 1 ELSE 0 END) AS reviewed
    FROM evaluations
    GROUP BY product_type;

CREATE VIEW model_costs AS
    SELECT m.provider, m.model_name, count(DISTINCT e.evaluation_id) AS evaluations,
           sum(e.tokens_in) AS tokens_in, sum(e.tokens_out) AS tokens_out
    FROM evaluation_production_models AS e
    JOIN production_models AS m ON m.id = e.production_model_id
    GROUP BY m.provider, m.model_name;

CREATE VIEW stale_drafts AS
    SELECT id, product_type, created_at FROM product_configurations
    WHERE status = 'draft' AND julianday('now') - julianday(created_at) > 30;

CREATE TRIGGER feedback_marks_reviewed AFTER INSERT ON human_feedback
BEGIN
    UPDATE evaluations SET is_reviewed = 1 WHERE id = NEW.evaluation_id;
END;

CREATE TRIGGER reviewed_evaluations_stay BEFORE DELETE ON evaluations
WHEN OLD.is_reviewed = 1
BEGIN
    SELECT RAISE(ABORT, 'a reviewed evaluation cannot be deleted');
END;
