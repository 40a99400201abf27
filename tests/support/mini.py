"""A recipe whose training takes a second."""

from mini import Phase, Recipe

TINY = Recipe(
    width=64,
    blocks=4,
    text_width=64,
    text_blocks=1,
    image_size=80,
    scales=(96,),
    image_weight=0.75,
    phases=(Phase(0.5, (80,), 2), Phase(0.5, (80, 96), 2)),
    steps=4,
    text_steps=3,
    names=8,
    validation_pairs=4,
    warmup=1,
    average=0.5,
)
