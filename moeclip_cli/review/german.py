"""The texts of the review page in German."""

from __future__ import annotations

from typing import Any

GERMAN: dict[str, Any] = {
    "review": "Durchsicht: {}",
    "try_threshold": "Schwelle",
    "reset": "Zurück zum Lauf",
    "to_apply": "So wird sie übernommen:",
    "copy": "Kopieren",
    "search": "In Pfaden suchen",
    "label": "Einstufung",
    "any_label": "Jede Einstufung",
    "unlabelled": "Ohne Einstufung",
    "differ": "Einstufung und Urteil verschieden",
    "good": "Gut",
    "bad": "Schlecht",
    "unsure": "Unsicher",
    "sort": "Reihenfolge",
    "highest": "Höchster Wert zuerst",
    "lowest": "Niedrigster Wert zuerst",
    "order": "Wie bewertet",
    "list_name": "Bilder",
    "viewer_name": "Bild",
    "pictures": "Darstellung",
    "map": "Karte",
    "enlarge": "Vergrößern",
    "clear": "Keine Einstufung",
    "undo": "Rückgängig",
    "advance": "Nach einer Einstufung zum nächsten Bild",
    "make_references": "Gute als Referenzen verwenden",
    "to_use": "Damit bewerten:",
    "keys": "Tasten: ↓ ↑ oder j k bewegen · g gut · b schlecht · u unsicher · x keine Einstufung · "
    "z rückgängig · Leertaste Darstellung · Enter vergrößern · Esc schließen",
    "script": {
        "finished": "Bilder: {n} (fertig)",
        "running": "Bilder: {n} (läuft)",
        "interrupted": "Bilder: {n} (unterbrochen; den Befehl mit --resume wiederholen)",
        "stopped": "Der Server antwortet nicht. moeclip review neu starten.",
        "counts": "{a} auffällig, {n} normal, {f} unlesbar",
        "counts_with_unsure": "{a} auffällig, {u} unsicher, {n} normal, {f} unlesbar",
        "quality": "Einstufungen: {g} gut, {b} schlecht, {u} unsicher. Präzision {p}, "
        "Trefferquote {r}",
        "no_quality": "Einstufungen: {g} gut, {b} schlecht, {u} unsicher. Gute und schlechte "
        "Bilder einstufen, um Präzision und Trefferquote zu sehen",
        "share": "{p} % ({n} von {m})",
        "shown": "{n} von {m} Bildern",
        "none": "Kein Bild passt zu den Filtern.",
        "empty": "Noch ist kein Bild bewertet.",
        "no_maps": "Der Lauf hat keine Karten behalten (mit --keep-maps bewerten): Das Overlay ist "
        "das bei Schwelle {t}.",
        "no_pictures": "Der Lauf hat weder Karten noch Overlays behalten; mit --keep-maps "
        "bewerten, um zu sehen, wo ein Bild auffällig ist.",
        "regions": "Ein Lauf mit --regions bekommt keine andere Schwelle; mit dieser neu bewerten.",
        "unfinished": "Der Lauf muss erst fertig sein.",
        "copied": "Kopiert",
        "nothing_to_undo": "Nichts rückgängig zu machen.",
        "undone": "Rückgängig: {p}",
        "facts": "Wert {s} · höchste Stelle {k} · Bereiche {g} · {w} × {h}",
        "references": "Als gut eingestuft: {n}",
        "reading": "Gute Bilder werden gelesen: {d} von {n}",
        "comparing": "{n} gute Bilder werden miteinander verglichen",
        "made": "{f}: {t}",
    },
}
