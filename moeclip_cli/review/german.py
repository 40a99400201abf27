"""The texts of the review page in German."""

from __future__ import annotations

from typing import Any

GERMAN: dict[str, Any] = {
    "review": "Durchsicht: {}",
    "try_threshold": "Schwelle",
    "reset": "Zurück zum Lauf",
    "apply": "Übernehmen",
    "in_terminal": "Im Terminal:",
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
    "path": "PFAD",
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
        "lossy": "Der Lauf hat keine Karten behalten: Die Bereiche der Bilder und die Overlays "
        "gingen verloren. Wer auf sie verzichten kann, verwendet den Befehl.",
        "applying": "Schwelle {t} wird übernommen: {d} von {n} Bildern",
        "applied": "Schwelle {t} übernommen; geänderte Urteile: {n}.",
        "not_applied": "Die Schwelle wurde nicht übernommen. {t}",
        "back_to": "Rückgängig: zurück zu {t}",
        "copied": "Kopiert",
        "nothing_to_undo": "Nichts rückgängig zu machen.",
        "undone": "Rückgängig: {p}",
        "facts": "Wert {s} · höchste Stelle {k} · Bereiche {g} · {w} × {h}",
        "references": "Als gut eingestuft: {n}",
        "reading": "Gute Bilder werden gelesen: {d} von {n}",
        "comparing": "{n} gute Bilder werden miteinander verglichen",
        "made_split": "{f}: Schwelle {t} ({r} % Fehlalarme auf {n} guten Bildern). Im Mittel "
        "werden höchstens {r} % weiterer guter Teile beanstandet; eine einzelne Kalibrierung kann "
        "danebenliegen, mit mehr Bildern geschieht das seltener (Split Conformal).",
        "made_left_out": "{f}: Schwelle {t} ({r} % Fehlalarme auf {n} Referenzen, jede reihum "
        "ausgelassen). Bei vielen Teilen werden etwa {r} % weiterer guter Teile beanstandet, im "
        "schlimmsten Fall {w} %: Jedes Teil wurde mit den anderen verglichen (Jackknife+).",
        "not_made": "Es gibt kein neues Profil. {t}",
    },
}

GERMAN_SENTENCES = {
    "A profile is for one product, but the prompts of this run are by rule.": "Ein Profil gilt für "
    "ein Produkt, aber dieser Lauf hat mehrere Objekte.",
    "Label two images of different good parts at least.": "Mindestens zwei Bilder verschiedener "
    "guter Teile einstufen.",
    "A profile is being made; wait for it.": "Es wird bereits ein Profil erstellt; bitte warten.",
    "A profile with references takes at least two different good parts.": "Ein Profil mit "
    "Referenzen braucht mindestens zwei verschiedene gute Teile.",
    "The process that makes the profile ended (code {}), perhaps as memory ran out; close other "
    "programs, or label fewer images good.": "Der Prozess, der das Profil erstellt, endete (Code "
    "{}), vielleicht mangels Speicher; andere Programme schließen oder weniger Bilder als gut "
    "einstufen.",
    "{} is missing or has changed since it was scored.": "{} fehlt oder wurde seit der Bewertung "
    "geändert.",
    "The run has not noted which file this is; finish it with --resume.": "Der Lauf hat nicht "
    "vermerkt, welche Datei das ist; ihn mit --resume abschließen.",
    "The run kept no map of this image; score with --keep-maps to see it.": "Der Lauf hat keine "
    "Karte dieses Bildes behalten; mit --keep-maps bewerten, um sie zu sehen.",
    "The run has neither a map nor an overlay of this image; score with --keep-maps or --heatmaps "
    "to see where it is anomalous.": "Der Lauf hat weder Karte noch Overlay dieses Bildes; mit "
    "--keep-maps oder --heatmaps bewerten, um zu sehen, wo es auffällig ist.",
    "This run kept no maps: the regions of its images and its overlays would be lost. Use the "
    "command in a terminal if you can do without them.": "Der Lauf hat keine Karten behalten: Die "
    "Bereiche der Bilder und die Overlays gingen verloren. Wer auf sie verzichten kann, verwendet "
    "den Befehl im Terminal.",
    "{} is damaged; score the image again.": "{} ist beschädigt; das Bild neu bewerten.",
    "Nothing is undone: the label was changed to {} in another window.": "Nichts wurde rückgängig "
    "gemacht: Die Einstufung wurde in einem anderen Fenster geändert.",
    "The run must be finished first.": "Der Lauf muss erst fertig sein.",
    "A threshold is being applied; wait for it.": "Es wird bereits eine Schwelle übernommen; bitte "
    "warten.",
    "{} cannot be written; change its permissions, or review a copy of it.": "{} ist "
    "schreibgeschützt; die Rechte ändern oder eine Kopie durchsehen.",
    "{} maps, such as {}, are missing; score these images again with --resume, or use {}.": "Es "
    "fehlen Karten: {}, darunter {}; diese Bilder mit --resume neu bewerten.",
    "{} images, such as {}, are missing or have changed since they were scored, so that their "
    "overlays cannot be drawn; use {} to do without.": "Bilder, die fehlen oder seit der Bewertung "
    "geändert wurden: {}, darunter {}. Ihre Overlays lassen sich nicht zeichnen; ohne Overlays "
    "geht es mit dem Befehl und {}.",
    "Another moeclip{} is writing to {}; wait for it, or choose another {}.": "Ein anderes moeclip "
    "schreibt gerade nach {1}; bitte warten.",
    "Cannot write {}: {}.": "{} kann nicht geschrieben werden: {}.",
    "permission denied; choose another {}": "die Rechte fehlen",
    "the file system is read-only; choose another {}": "das Dateisystem ist schreibgeschützt",
    "the disk is full; free some space or choose another {}": "der Datenträger ist voll",
}
"""Sentences of exceptions that the page shows, each value a brace -> the same in German."""
