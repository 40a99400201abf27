from __future__ import annotations

from moeclip_cli.evaluation.published import ANOMALY_DINO, ANOMALY_DINO_BATCHED, published_claims


def test_claims_have_a_source_and_plausible_numbers():
    claims = published_claims()
    assert {claim.dataset for claim in claims} == {"MVTec", "VisA"}
    for claim in claims:
        assert 80 < claim.image_auroc < 100
        assert "20" in claim.source
        assert (claim.shots is not None) == (claim.setting == "few-shot")
    assert len({(claim.method, claim.dataset, claim.shots) for claim in claims}) == len(claims)


def test_the_method_with_the_same_backbone_has_three_numbers_of_shots():
    found = {
        (claim.dataset, claim.shots): claim.image_auroc
        for claim in published_claims()
        if claim.method == ANOMALY_DINO
    }
    assert found == {
        ("MVTec", 1): 96.5, ("MVTec", 4): 97.6, ("MVTec", 16): 98.3,
        ("VisA", 1): 85.6, ("VisA", 4): 91.3, ("VisA", 16): 93.8,
    }  # fmt: skip


def test_a_label_names_what_is_known():
    labels = {claim.method for claim in published_claims()}
    assert {ANOMALY_DINO, ANOMALY_DINO_BATCHED} <= labels
    assert {"WinCLIP+ (CLIP ViT-B/16+)", "PromptAD (CLIP)", "RareCLIP (CLIP ViT-L)"} <= labels
