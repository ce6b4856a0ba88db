"""Small SQLite databases, each odd in one way: what moves of real files trip over.

`CASES` maps a name that reads as a sentence to the SQL that makes the database. A dot command `.blob` is not
needed: invalid text is made with CAST(x'…' AS TEXT).
"""

from __future__ import annotations

CASES = {
    "integers at both ends of 64 bits": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO t VALUES (1, 9223372036854775807), (2, -9223372036854775808), (3, 0), (4, NULL);
    """,
    "rowids at both ends of 64 bits": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT);
        INSERT INTO t VALUES (9223372036854775807, 'last'), (-9223372036854775808, 'first'), (0, 'zero');
    """,
    "reals with every bit that matters": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL);
        INSERT INTO t VALUES (1, 0.1), (2, -0.0), (3, 5e-324), (4, 1.7976931348623157e308), (5, 9e999),
          (6, -9e999), (7, 0.30000000000000004), (8, 1.0), (9, 2.2250738585072014e-308), (10, NULL);
    """,
    "integers stored in a REAL column become reals": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, r REAL);
        INSERT INTO t VALUES (1, 1), (2, 9007199254740993), (3, -5);
    """,
    "the empty string is not NULL": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, b BLOB);
        INSERT INTO t VALUES (1, '', x''), (2, NULL, NULL), (3, ' ', x'00');
    """,
    "text with U+0000": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
        INSERT INTO t VALUES (1, 'good'), (2, 'a' || char(0) || 'b'), (3, char(0)), (4, 'good too');
    """,
    "text that is not UTF-8": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
        INSERT INTO t VALUES (1, 'good'), (2, CAST(x'ff' AS TEXT)), (3, CAST(x'c3' AS TEXT)),
          (4, CAST(x'eda080' AS TEXT)), (5, CAST(x'c080' AS TEXT)), (6, CAST(x'f4908080' AS TEXT));
    """,
    "a UTF-16 database": """
        PRAGMA encoding = 'UTF-16le';
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT UNIQUE);
        INSERT INTO t VALUES (1, 'plain'), (2, 'é—ż'), (3, '😀'), (4, ''), (5, char(65535));
    """,
    "a big-endian UTF-16 database with a lone surrogate": """
        PRAGMA encoding = 'UTF-16be';
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
        INSERT INTO t VALUES (1, 'plain'), (2, CAST(x'd800' AS TEXT)), (3, 'naïve 😀');
    """,
    "astral, combining and right-to-left text": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT);
        INSERT INTO t VALUES (1, '😀👩‍👩‍👧'), (2, 'e' || char(769)), (3, 'é'), (4, 'שלום'), (5, char(65279)),
          (6, char(57344)), (7, char(1114111));
    """,
    "every byte in a blob": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, b BLOB);
        INSERT INTO t SELECT 1, x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f5c5c5c78ff';
        INSERT INTO t VALUES (2, zeroblob(70000)), (3, randomblob(300000));
    """,
    "blobs in a TEXT column and text in a BLOB column": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, b BLOB);
        INSERT INTO t VALUES (1, x'68656c6c6f', 'hello'), (2, 'hello', x'68656c6c6f'), (3, x'ff00', 'x');
    """,
    "text in an INTEGER column": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER);
        INSERT INTO t VALUES (1, 5), (2, 'N/A'), (3, 'twelve'), (4, 7), (5, 2.5), (6, x'01'), (7, NULL);
    """,
    "the integer 1 and the text '1' in one column": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v);
        INSERT INTO t VALUES (1, 1), (2, '1'), (3, 1.0), (4, x'31'), (5, '1.0'), (6, NULL), (7, '');
    """,
    "1 and '1' as different keys": """
        CREATE TABLE t(k PRIMARY KEY, v TEXT);
        INSERT INTO t VALUES (1, 'integer'), ('1', 'text'), (x'31', 'blob'), (2.5, 'real'), ('2.5', 'text');
    """,
    "a keyless table of mixed duplicates": """
        CREATE TABLE t(a, b);
        INSERT INTO t VALUES (1, 'x'), ('1', 'x'), (1, 'x'), (1.0, 'x'), ('1', 'x'), (NULL, NULL), (NULL, NULL);
    """,
    "duplicates in a keyless table": """
        CREATE TABLE t(a TEXT, b INTEGER);
        INSERT INTO t VALUES ('x', 1), ('x', 1), ('x', 2), (NULL, 1), (NULL, 1), ('', 1);
    """,
    "integers and reals in a NUMERIC column": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, n NUMERIC);
        INSERT INTO t VALUES (1, 1), (2, 1.5), (3, 1e300), (4, 9e999), (5, 0.1), (6, 9223372036854775807), (7, NULL);
    """,
    "minus zero among numbers": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v);
        INSERT INTO t VALUES (1, -0.0), (2, 0), (3, 0.0), (4, 1);
    """,
    "decimals that fit": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, price DECIMAL(10,2));
        INSERT INTO t VALUES (1, 19.99), (2, 20), (3, -0.01), (4, 99999999.99), (5, NULL);
    """,
    "decimals that do not fit": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, price DECIMAL(6,2));
        INSERT INTO t VALUES (1, 19.999), (2, 1234567.5), (3, 'free'), (4, 2);
    """,
    "booleans": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, flag BOOLEAN NOT NULL DEFAULT 0, other BOOLEAN);
        INSERT INTO t VALUES (1, 0, 1), (2, 1, NULL), (3, 1, 0);
    """,
    "booleans with a 2 among them": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, flag BOOLEAN, word BOOLEAN);
        INSERT INTO t VALUES (1, 0, 'true'), (2, 1, 'false'), (3, 2, 'maybe');
    """,
    "moments of every common shape": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a DATETIME, b TIMESTAMP, c DATETIME, d DATETIME, e DATE, f DATETIME);
        INSERT INTO t VALUES
          (1, '2024-02-29 12:00:00', '2024-02-29T12:00:00Z', '2024-02-29 12:00:00.000001',
              '2024-02-29 12:00:00.123', '2024-02-29', '2024-02-29 12:00:00'),
          (2, '0001-01-01 00:00:00', '9999-12-31T23:59:59Z', '1999-12-31 23:59:59.999999',
              '1970-01-01 00:00:00.000', '0001-01-01', '2024-02-29 12:00:00.500000');
    """,
    "a date that does not exist": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, d DATE, m DATETIME);
        INSERT INTO t VALUES (1, '2023-02-29', '2023-02-29 25:00:00'), (2, '2023-02-28', '2023-02-28 12:00:00');
    """,
    "moments of two shapes in one column": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, m DATETIME);
        INSERT INTO t VALUES (1, '2024-01-01 00:00:00'), (2, '2024-01-01T00:00:00'), (3, 'yesterday');
    """,
    "unix seconds, milliseconds and Julian days": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TIMESTAMP, ms DATETIME, jd DATETIME);
        INSERT INTO t VALUES (1, 1700000000, 1700000000123, 2460000.5), (2, 1500000000, 1500000000999, 2451545.25);
    """,
    "UUIDs as text, as hexadecimal and as bytes": """
        CREATE TABLE t(id UUID PRIMARY KEY, h CHAR(32), b UUID);
        INSERT INTO t VALUES
          ('6f1c1d2e-3b4a-4c5d-8e9f-0a1b2c3d4e5f', '6f1c1d2e3b4a4c5d8e9f0a1b2c3d4e5f', x'6f1c1d2e3b4a4c5d8e9f0a1b2c3d4e5f'),
          ('00000000-0000-4000-8000-000000000000', '00000000000040008000000000000000', x'00000000000000000000000000000000');
    """,
    "UUIDs with an upper-case one": """
        CREATE TABLE t(id UUID PRIMARY KEY);
        INSERT INTO t VALUES ('6F1C1D2E-3B4A-4C5D-8E9F-0A1B2C3D4E5F'), ('6f1c1d2e-3b4a-4c5d-8e9f-0a1b2c3d4e5f');
    """,
    "JSON, its odd forms and what is none": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, j JSON, k JSON);
        INSERT INTO t VALUES (1, '{"b": 1,  "a": [1.0, 1e5, null]}', '{"a": 1}'), (2, '"\\ud800"', '{broken'),
          (3, 'null', NULL), (4, '{"a":1,"a":2}', '[]'), (5, '1', '');
    """,
    "JSON with NaN, which Python reads and PostgreSQL does not": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, j JSON);
        INSERT INTO t VALUES (1, '{"a": NaN}'), (2, '[1]'), (3, '"\\u0000"');
    """,
    "a typeless table": """
        CREATE TABLE t(a, b, c);
        INSERT INTO t VALUES (1, 'x', 2.5), (2, 'y', NULL);
    """,
    "types nobody has heard of": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a FANCY(1,2), b "some type", c INTEGER_OR_TEXT, d VARCHAR(3), e INT2, f CHARINT);
        INSERT INTO t VALUES (1, 1, 'two', 3, 'longer than three', 70000, 5), (2, 'x', 2, 'three', '', -1, 'five');
    """,
    "a STRICT table": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, n INT, r REAL, s TEXT, b BLOB, a ANY) STRICT;
        INSERT INTO t VALUES (1, 1, 1.0, '1', x'31', '1'), (2, NULL, NULL, NULL, NULL, 1), (3, 2, 2, 'x', x'', x'00');
    """,
    "WITHOUT ROWID with a composite key": """
        CREATE TABLE t(a TEXT, b INTEGER, v TEXT, PRIMARY KEY(b DESC, a)) WITHOUT ROWID;
        INSERT INTO t VALUES ('x', 1, 'one'), ('x', 2, 'two'), ('y', 1, 'three'), ('', 1, NULL);
    """,
    "NULL in a primary key": """
        CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER);
        INSERT INTO t VALUES (NULL, 1), (NULL, 2), ('a', 3);
    """,
    "text keys in byte order": """
        CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER);
        INSERT INTO t VALUES ('a', 1), ('B', 2), ('Z', 3), ('é', 4), ('z', 5), ('', 6), ('😀', 7), (char(57344), 8), ('aa', 9);
    """,
    "generated columns, stored and virtual": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b INTEGER GENERATED ALWAYS AS (a * 2) STORED,
          c TEXT AS (a || '!') VIRTUAL, d AS (a + 0.5));
        INSERT INTO t(id, a) VALUES (1, 10), (2, NULL), (3, -3);
    """,
    "a table whose columns hide the rowid": """
        CREATE TABLE t(rowid TEXT, _rowid_ TEXT, oid TEXT);
        INSERT INTO t VALUES ('a', 'b', 'c'), ('a', 'b', 'c'), (NULL, '', 'x');
        CREATE TABLE u(rowid TEXT, v INTEGER);
        INSERT INTO u VALUES ('7', 1), ('8', 2);
    """,
    "identifiers with quotes, spaces, emoji and nothing": """
        CREATE TABLE "o""dd ta'ble 😀"("a""b" INTEGER PRIMARY KEY, "c d" TEXT, "select" TEXT, "ß" TEXT, "new
line" TEXT, "%s {x}" TEXT);
        INSERT INTO "o""dd ta'ble 😀" VALUES (1, 'x', 'y', 'z', 'w', '%s {}');
        CREATE TABLE ""("" TEXT);
        INSERT INTO "" VALUES ('nameless');
        CREATE TABLE "Mixed"("Case" TEXT, "CASE2" TEXT);
        INSERT INTO "Mixed" VALUES ('a', 'b');
    """,
    "reserved words and system columns as names": """
        CREATE TABLE "order"("user" INTEGER PRIMARY KEY, "table" TEXT, ctid TEXT, xmin TEXT, tableoid TEXT);
        INSERT INTO "order" VALUES (1, 'a', 'b', 'c', 'd');
        CREATE TABLE "pg_class"(oid INTEGER, x TEXT); INSERT INTO pg_class VALUES (1, 'x');
        CREATE TABLE "buttress_quarantine"(id INTEGER PRIMARY KEY); INSERT INTO buttress_quarantine VALUES (1);
    """,
    "names equal in their first 63 bytes": f"""
        CREATE TABLE {"a" * 70}1({"c" * 70}1 TEXT, {"c" * 70}2 TEXT);
        CREATE TABLE {"a" * 70}2({"é" * 40}x TEXT, {"é" * 40}y TEXT);
        CREATE INDEX {"i" * 70}1 ON {"a" * 70}1({"c" * 70}1);
        CREATE INDEX {"i" * 70}2 ON {"a" * 70}1({"c" * 70}2);
        INSERT INTO {"a" * 70}1 VALUES ('a', 'b');
        INSERT INTO {"a" * 70}2 VALUES ('c', 'd');
    """,
    "a hundred columns": f"""
        CREATE TABLE t(id INTEGER PRIMARY KEY, {", ".join(f"c{i} INTEGER" for i in range(99))});
        INSERT INTO t(id, c0, c98) VALUES (1, 1, 98), (2, NULL, -1);
    """,
    "seventeen hundred columns": f"""
        CREATE TABLE t({", ".join(f"c{i} INTEGER" for i in range(1700))});
        INSERT INTO t(c0, c1699) VALUES (1, 2), (3, NULL);
        CREATE TABLE neighbour(id INTEGER PRIMARY KEY); INSERT INTO neighbour VALUES (1);
    """,
    "a row too wide for a page": f"""
        CREATE TABLE t(id INTEGER PRIMARY KEY, {", ".join(f"c{i} INTEGER" for i in range(1500))});
        INSERT INTO t({", ".join(f"c{i}" for i in range(1500))}) VALUES ({", ".join(["1"] * 1500)});
        INSERT INTO t(c0) VALUES (1);
    """,
    "foreign keys of every kind": """
        CREATE TABLE parent(a INTEGER, b TEXT, v TEXT, PRIMARY KEY(a, b));
        CREATE TABLE child(id INTEGER PRIMARY KEY, a INTEGER, b TEXT, boss INTEGER REFERENCES child(id) ON DELETE CASCADE,
          FOREIGN KEY(a, b) REFERENCES parent(a, b) ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED);
        CREATE TABLE implied(id INTEGER PRIMARY KEY, CHILD INTEGER REFERENCES Child);
        CREATE TABLE x(id INTEGER PRIMARY KEY, y INTEGER REFERENCES y(id));
        CREATE TABLE y(id INTEGER PRIMARY KEY, x INTEGER REFERENCES x(id));
        INSERT INTO parent VALUES (1, 'p', 'v');
        INSERT INTO child VALUES (2, 1, 'p', 3), (3, 1, 'p', NULL), (4, NULL, 'zz', 2);
        INSERT INTO implied VALUES (1, 2); INSERT INTO x VALUES (1, 1); INSERT INTO y VALUES (1, 1);
    """,
    "orphans": """
        CREATE TABLE parent(id INTEGER PRIMARY KEY);
        CREATE TABLE child(id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parent(id), gone INTEGER REFERENCES missing(id));
        INSERT INTO parent VALUES (1); INSERT INTO child VALUES (1, 1, 5), (2, 99, NULL), (3, 98, 6);
    """,
    "a foreign key to a column that is not unique, and of another type": """
        CREATE TABLE parent(id INTEGER PRIMARY KEY, code TEXT, n TEXT UNIQUE);
        CREATE TABLE child(id INTEGER PRIMARY KEY, code TEXT REFERENCES parent(code), n INTEGER REFERENCES parent(n));
        INSERT INTO parent VALUES (1, 'a', '7'); INSERT INTO child VALUES (1, 'a', 7);
    """,
    "constraints and defaults": """
        CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(20) NOT NULL COLLATE NOCASE UNIQUE,
          state TEXT DEFAULT 'it''s new' CHECK (state IN ('it''s new', 'old')), made TEXT DEFAULT CURRENT_TIMESTAMP,
          at DATETIME DEFAULT (datetime('now')), n INTEGER DEFAULT -1 CHECK (n > -5 AND n < 100), r REAL DEFAULT 1e3,
          token BLOB DEFAULT (randomblob(16)), flag BOOLEAN DEFAULT 1, null_too TEXT DEFAULT NULL, dq TEXT DEFAULT "dq",
          CONSTRAINT named CHECK (length(name) < 20));
        INSERT INTO t(name) VALUES ('One'), ('two'), ('Three');
        DELETE FROM t WHERE id = 3;
    """,
    "a check that existing rows violate": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, n INTEGER CHECK (n > 0));
        INSERT INTO t VALUES (1, 1);
        PRAGMA ignore_check_constraints = 1;
        INSERT INTO t VALUES (2, -1);
    """,
    "unique that differs only in case": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT UNIQUE COLLATE NOCASE, u TEXT UNIQUE);
        INSERT INTO t VALUES (1, 'a', 'A'), (2, 'B', 'a'), (3, 'É', 'x'), (4, 'é', 'X'), (5, NULL, NULL), (6, NULL, NULL);
    """,
    "indexes of every kind": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT, b INTEGER, c TEXT, deleted BOOLEAN);
        CREATE INDEX plain ON t(a); CREATE INDEX "down" ON t(b DESC, a); CREATE UNIQUE INDEX part ON t(a) WHERE deleted = 0;
        CREATE INDEX expr ON t(lower(a), b + 1); CREATE INDEX coll ON t(c COLLATE NOCASE); CREATE INDEX rt ON t(c COLLATE RTRIM);
        INSERT INTO t VALUES (1, 'a', 1, 'x ', 0), (2, 'a', 2, 'X', 1), (3, 'b', 3, NULL, 0);
    """,
    "views": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, g TEXT, n INTEGER);
        INSERT INTO t VALUES (1, 'a', 10), (2, 'a', 5), (3, 'b', 7), (4, NULL, NULL);
        CREATE VIEW sums AS SELECT g, sum(n) AS total, count(*) AS rows FROM t GROUP BY g;
        CREATE VIEW over_view AS SELECT total / 2 AS half FROM sums WHERE total IS NOT NULL;
        CREATE VIEW broken AS SELECT no_such_column FROM t;
        CREATE VIEW odd AS SELECT printf('%05d', n) AS p, n % 3 AS m FROM t;
    """,
    "triggers": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, v TEXT, changed INTEGER DEFAULT 0);
        CREATE TABLE log(id INTEGER PRIMARY KEY AUTOINCREMENT, t INTEGER, what TEXT);
        CREATE TRIGGER t_ins AFTER INSERT ON t BEGIN INSERT INTO log(t, what) VALUES (new.id, 'insert'); END;
        CREATE TRIGGER t_upd AFTER UPDATE OF v ON t WHEN old.v IS NOT new.v BEGIN UPDATE t SET changed = changed + 1 WHERE id = new.id; END;
        CREATE TRIGGER t_del BEFORE DELETE ON t BEGIN SELECT RAISE(ABORT, 'never') WHERE old.id = 1; END;
        INSERT INTO t(id, v) VALUES (1, 'a'), (2, 'b');
    """,
    "full-text search and R-Tree": """
        CREATE VIRTUAL TABLE f3 USING fts3(body); INSERT INTO f3 VALUES ('one'), ('two');
        CREATE VIRTUAL TABLE f4 USING fts4(title, body); INSERT INTO f4 VALUES ('t', 'hello world');
        CREATE VIRTUAL TABLE f5 USING fts5(title, body); INSERT INTO f5 VALUES ('t', 'hello'), ('u', 'é');
        CREATE TABLE docs(id INTEGER PRIMARY KEY, body TEXT); INSERT INTO docs VALUES (1, 'x');
        CREATE VIRTUAL TABLE ext USING fts5(body, content='docs', content_rowid='id');
        CREATE VIRTUAL TABLE less USING fts5(body, content='');
        CREATE VIRTUAL TABLE rt USING rtree(id, x0, x1, y0, y1); INSERT INTO rt VALUES (1, 0.1, 1.5, -2.25, 3), (7, 0, 1, 0, 1);
    """,
    "AUTOINCREMENT after deletions, and an unused one": """
        CREATE TABLE t(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        CREATE TABLE unused(id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
        INSERT INTO t(v) VALUES ('a'), ('b'), ('c'); DELETE FROM t WHERE id > 1;
        CREATE TABLE plain(id INTEGER PRIMARY KEY, v TEXT);
        INSERT INTO plain VALUES (5, 'x'), (40, 'y'); DELETE FROM plain WHERE id = 40;
        CREATE TABLE negative(id INTEGER PRIMARY KEY); INSERT INTO negative VALUES (-10), (-3);
    """,
    "empty tables": """
        CREATE TABLE a(id INTEGER PRIMARY KEY, s TEXT, n NUMERIC, b BLOB, f BOOLEAN, d DATETIME, x);
        CREATE TABLE b(s TEXT PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE c(a, b);
    """,
    "a database with nothing in it": "CREATE TABLE t(a); DROP TABLE t;",
    "only NULLs": """
        CREATE TABLE t(a INTEGER, b TEXT, c); INSERT INTO t VALUES (NULL, NULL, NULL), (NULL, NULL, NULL);
    """,
    "a column added later with a default": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t VALUES (1, 'old');
        ALTER TABLE t ADD COLUMN b TEXT DEFAULT 'later'; ALTER TABLE t ADD COLUMN c INTEGER NOT NULL DEFAULT 7;
        INSERT INTO t(id, a) VALUES (2, 'new');
    """,
    "one bad row among thousands": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, s TEXT, n INTEGER);
        WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)
          INSERT INTO t SELECT i, 'row ' || i, i * 7 FROM c;
        UPDATE t SET s = 'bad' || char(0) WHERE id IN (17, 2500, 4999);
    """,
    "a key that holds what PostgreSQL cannot": """
        CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER);
        INSERT INTO t VALUES ('a' || char(0), 1), ('a', 2), (CAST(x'fe' AS TEXT), 3);
        CREATE TABLE child(id INTEGER PRIMARY KEY, k TEXT REFERENCES t(k)); INSERT INTO child VALUES (1, 'a');
    """,
    "key text too long for an index": f"""
        CREATE TABLE t(k TEXT PRIMARY KEY, v INTEGER);
        INSERT INTO t VALUES ('short', 1), (hex(randomblob({60_000})), 2);
    """,
    "sqlite_stat tables and shadow-like names": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT); CREATE INDEX i ON t(a); INSERT INTO t VALUES (1, 'x');
        ANALYZE;
        CREATE TABLE notes_content(id INTEGER PRIMARY KEY, c TEXT); INSERT INTO notes_content VALUES (1, 'an ordinary table');
    """,
    "collations by hand": """
        CREATE TABLE t(id INTEGER PRIMARY KEY, a TEXT COLLATE RTRIM UNIQUE, b TEXT COLLATE BINARY, c TEXT COLLATE NOCASE);
        INSERT INTO t VALUES (1, 'a', 'a', 'A'), (2, 'b ', 'a ', 'a');
    """,
}
