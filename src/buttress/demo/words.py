"""The vocabulary of the demo: invented brands, and sentences in English and Portuguese."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Line:
    """What one product type is written with; English and Portuguese side by side."""

    brands: tuple[str, ...]
    goods: tuple[tuple[str, str], ...]
    benefits: tuple[tuple[str, str], ...]
    materials: tuple[str, ...]
    sizes: tuple[str, ...]
    how: tuple[str, str]
    hs_code: str
    price: tuple[int, int]


LINES: dict[str, Line] = {
    "cosmetics": Line(
        brands=("Alvarinha", "Noor & Sal", "Maré Mansa", "Verdelume", "Ostra Clara"),
        goods=(
            ("hydrating serum", "sérum hidratante"),
            ("night cream", "creme de noite"),
            ("cleansing balm", "bálsamo de limpeza"),
            ("eye contour gel", "gel de contorno de olhos"),
            ("hand cream", "creme de mãos"),
        ),
        benefits=(
            ("restores comfort to dry skin", "devolve o conforto à pele seca"),
            ("leaves a light, non-greasy finish", "deixa um acabamento leve e não gorduroso"),
            ("evens out the complexion", "uniformiza o tom da pele"),
            ("suits sensitive skin", "adequado a peles sensíveis"),
        ),
        materials=("AQUA", "GLYCERIN", "NIACINAMIDE", "SQUALANE", "PANTHENOL", "TOCOPHEROL"),
        sizes=("30 ml", "50 ml", "75 ml", "200 ml"),
        how=(
            "Apply to clean skin, morning and night.",
            "Aplicar na pele limpa, de manhã e à noite.",
        ),
        hs_code="33049900",
        price=(6, 68),
    ),
    "fragrance": Line(
        brands=("Casa Bruma", "Solário", "Outono Azul", "Petrichor 12"),
        goods=(
            ("eau de parfum", "eau de parfum"),
            ("eau de toilette", "eau de toilette"),
            ("scented candle", "vela perfumada"),
        ),
        benefits=(
            ("opens with bergamot and pink pepper", "abre com bergamota e pimenta rosa"),
            ("settles into cedar and vetiver", "assenta em cedro e vetiver"),
            ("stays close to the skin for hours", "permanece junto à pele durante horas"),
        ),
        materials=("ALCOHOL DENAT.", "PARFUM", "LINALOOL", "LIMONENE", "COUMARIN"),
        sizes=("30 ml", "50 ml", "100 ml"),
        how=("Spray on pulse points.", "Vaporizar nos pontos de pulsação."),
        hs_code="33030010",
        price=(24, 140),
    ),
    "supplement": Line(
        brands=("Vitaforja", "Grão Norte", "Lume Vital"),
        goods=(
            ("magnesium capsules", "cápsulas de magnésio"),
            ("vitamin D3 drops", "gotas de vitamina D3"),
            ("collagen powder", "colagénio em pó"),
        ),
        benefits=(
            (
                "contributes to the reduction of tiredness",
                "contribui para a redução do cansaço",
            ),
            ("free from gluten and lactose", "sem glúten e sem lactose"),
            ("easy to swallow", "fácil de engolir"),
        ),
        materials=("MAGNESIUM BISGLYCINATE", "CHOLECALCIFEROL", "RICE FLOUR", "VITAMIN C"),
        sizes=("30 capsules", "60 capsules", "90 capsules", "300 g"),
        how=("Take one dose a day with water.", "Tomar uma dose por dia com água."),
        hs_code="21069098",
        price=(8, 45),
    ),
    "subtype": Line(
        brands=("Rubra", "Tinta Viva", "Alvarinha"),
        goods=(
            ("lipstick", "batom"),
            ("nail lacquer", "verniz de unhas"),
            ("tinted balm", "bálsamo com cor"),
        ),
        benefits=(
            ("gives full colour in one stroke", "dá cor intensa numa só passagem"),
            ("keeps lips supple", "mantém os lábios macios"),
            ("comes in twelve shades", "disponível em doze tons"),
        ),
        materials=("RICINUS COMMUNIS SEED OIL", "CERA ALBA", "CI 77491", "MICA"),
        sizes=("3.5 g", "4 g", "10 ml"),
        how=("Apply from the centre outwards.", "Aplicar do centro para fora."),
        hs_code="33041000",
        price=(5, 32),
    ),
    "tech": Line(
        brands=("Faísca", "Onda Curta", "Hélice Lab"),
        goods=(
            ("wireless earbuds", "auriculares sem fios"),
            ("desk lamp", "candeeiro de secretária"),
            ("hair dryer", "secador de cabelo"),
        ),
        benefits=(
            ("charges fully in forty minutes", "carrega por completo em quarenta minutos"),
            ("weighs less than it looks", "pesa menos do que parece"),
            ("has a two-year guarantee", "tem garantia de dois anos"),
        ),
        materials=("ABS", "ALUMINIUM", "SILICONE", "LITHIUM-ION CELL"),
        sizes=("1 unit",),
        how=("Charge before first use.", "Carregar antes da primeira utilização."),
        hs_code="85183000",
        price=(15, 220),
    ),
}

REMARKS = {
    5: "Every field is present, every claim is in the source, the translation reads naturally.",
    4: "Complete and faithful; one sentence of the Portuguese text follows English word order.",
    3: "The description adds a benefit that the source does not mention.",
    2: "Ingredients are incomplete and two weights look estimated.",
    1: "The title contains the brand and the size; the Portuguese text is in Brazilian spelling.",
}

NOTES = (
    "Fine as it is.",
    "Título sem a marca, por favor.",
    "The catchphrase is too long for the shop.",
    "Falta a capacidade na variante.",
    "",
)

MODELS = (
    ("openai", "gpt-4.1-mini", "0.30", "0.4000"),
    ("openai", "gpt-4.1", "0.20", "2.0000"),
    ("groq", "llama-3.3-70b", "0.40", "0.5900"),
    ("anthropic", "claude-haiku", "0.30", "0.8000"),
    ("google", "gemini-flash", "1.00", "0.1000"),
)
