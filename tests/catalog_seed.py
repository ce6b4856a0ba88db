"""A catalog some people have worked with for three months, made by the database."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.orm import Session

MADE = """
    CREATE TEMP TABLE made ON COMMIT DROP AS
    SELECT n, now() - make_interval(mins => n * 129600 / :count) AS at, type, model,
        (n * 31 % 4) / 5.0 AS temperature, structure, content, translation,
        round(0.2 * structure + 0.5 * content + 0.3 * translation, 2) AS overall,
        (ARRAY['ana@example.com', 'bento@example.com', 'carla@example.com'])[1 + n % 3] AS person
    FROM (
        SELECT n, type, model,
            greatest(1, least(5, round((4.3 + good + 0.5 * sin(n * 12.9898))::numeric, 2)))
                AS structure,
            greatest(1, least(5, round((3.7 + good + 1.2 * sin(n * 78.233))::numeric, 2)))
                AS content,
            greatest(1, least(5, round((3.6 + good + 0.7 * sin(n * 78.233)
                + 0.6 * sin(n * 37.719))::numeric, 2))) AS translation
        FROM (
            SELECT n, (ARRAY['cosmetics', 'cosmetics', 'fragrance', 'supplement', 'electronics'])
                    [1 + n % 5] AS type,
                (ARRAY['offline', 'openai:gpt-4o-mini', 'mistral:small'])[1 + n * 7 % 3] AS model,
                (ARRAY[-0.6, 0.3, 0.0])[1 + n * 7 % 3] AS good
            FROM generate_series(1, :count) n
        ) one
    ) two
"""
TABLES = [
    """INSERT INTO catalog_product (id, product_type, brand, name, content, origins, extraction_id,
        evaluation_id, overall, doubt, created_by_name, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, type, 'Oakleaf', 'Cream <b>' || n || '</b>', '{"catalogA": {"TitleEN": "Cream"}}',
        '{}', n, n, overall, 0, person, at FROM made""",
    """INSERT INTO catalog_extraction (id, product_id, scope, model, temperature, prompts, content,
        origins, notes, seconds, cost_usd, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, n, 'full', model, temperature, '{}', '{"catalogA": {"TitleEN": "Cream"}}', '{}', '[]',
        1 + n % 9, CASE WHEN model <> 'offline' THEN n % 70 / 1e4 END, at FROM made""",
    """INSERT INTO catalog_material (extraction_id, sources)
    SELECT n, '[{"id": "1", "kind": "pdf", "name": "oak.pdf", "passages":
        [{"text": "Oakleaf cream, 50 ml", "place": {"page": 1}}]}]' FROM made WHERE n <= 50""",
    """INSERT INTO catalog_evaluation (id, product_id, extraction_id, product_type, brand, name,
        model, temperature, structure, content, translation, overall, issue_count, rules_version,
        judge, rubric_version, judged, created_by_name, created_at)
    OVERRIDING SYSTEM VALUE
    SELECT n, n, n, type, 'Oakleaf', 'Cream <b>' || n || '</b>', model, temperature, structure,
        content, translation, overall, n % 2, 1, 'openai:gpt-5', 2,
        '{"content": "the weight stands in no source"}', person, at FROM made""",
    """INSERT INTO catalog_issue (evaluation_id, position, metric, rule, field, message, points,
        product_type, created_at)
    SELECT n, 0, (ARRAY['content', 'translation', 'structure'])[1 + n % 3],
        (ARRAY['invented-number', 'brazilian', 'barcode', 'left-untranslated', 'word-count'])
            [1 + n * n % 5],
        'catalogA.TitleEN', 'a number no source has', 0.5, type, at FROM made WHERE n % 2 = 1""",
    """INSERT INTO catalog_feedback (evaluation_id, person, person_name, structure, content,
        translation, overall, notes, created_at, evaluated_at, product_type, model,
        machine_structure, machine_content, machine_translation, machine_overall)
    SELECT n, lpad(to_hex(p), 32, '0')::uuid, (ARRAY['ana@example.com', 'bento@example.com'])[p],
        r[1], r[2], r[3], 0.2 * r[1] + 0.5 * r[2] + 0.3 * r[3],
        CASE WHEN n % 8 = 0 THEN '{"content": "the scent is *invented*"}' ELSE '{}' END::jsonb, at,
        at, type, model, structure, content, translation, overall
    FROM made, generate_series(1, 2) p, LATERAL (SELECT ARRAY[
        least(5, greatest(1, round(structure + 0.6 * sin(n * 3 + p)))),
        least(5, greatest(1, round(content + 0.9 * sin(n * 5 + p)
            - CASE WHEN n % 40 = 0 THEN 2 ELSE 0 END))),
        least(5, greatest(1, round(translation + 0.7 * cos(n * 7 + p))))]::int[] AS r) given
    WHERE n % 4 = 0 AND (p = 1 OR n % 12 = 0)""",
    """INSERT INTO catalog_correction (product_id, extraction_id, path, before, after, person_name,
        created_at)
    SELECT n, n, 'catalogA.TitleEN', '{"value": "a"}', '{"value": "b"}', person, at
    FROM made WHERE n % 9 = 0""",
]


def seed(session: Session, count: int) -> None:
    """So many products, extracted and evaluated over the 90 days until now, a quarter rated."""
    session.execute(text(MADE), {"count": count})
    for statement in TABLES:
        session.execute(text(statement))
