from __future__ import annotations

import logging
import subprocess
import sys

from moeclip_cli import Inspector


def test_the_logger_names_the_model_and_images_that_cannot_be_read(standin, caplog):
    with caplog.at_level(logging.INFO, logger="moeclip"):
        inspector = Inspector.load(
            str(standin.model), backbone_weights=standin.backbone, image_size=70, device="cpu"
        )
        list(inspector.score(["gone.png", None]))
    said = [record.getMessage() for record in caplog.records]
    assert said[0].startswith("standin.pth is ready on cpu")
    assert said[1] == "gone.png: The file was not found; check the path."
    assert said[2].startswith("An image in memory: An image must be a path")
    assert [record.levelname for record in caplog.records] == ["INFO", "WARNING", "WARNING"]


def test_a_program_that_does_not_ask_for_it_prints_nothing():
    program = "from moeclip_cli.log import LOGGER; LOGGER.warning('unasked')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
