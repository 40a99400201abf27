"""Results of finite numbers only: a score that is not a number never becomes a verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from moeclip_cli.errors import ModelError
from moeclip_cli.inspection.grading import Grading
from moeclip_cli.inspection.prepared import PreparedImage
from moeclip_cli.inspection.result import Result
from moeclip_cli.inspection.scored_batch import ScoredBatch


class FiniteGrading:
    """Gives the results of images, or an error if a score or a value of a map is not finite.

    The first time that a number is not finite, a test image is scored with the same prompt: if its
    numbers are not finite either, the weights are the cause, and scoring stops.

    Args:
        grading: gives the results.
        score_test_image: gives the scores of an ordinary image with a prompt.
        image_error: sentence about an image whose numbers are not finite.
        model_error: sentence about a model whose numbers never are.
    """

    def __init__(
        self,
        grading: Grading,
        score_test_image: Callable[[str], ScoredBatch],
        *,
        image_error: str,
        model_error: str,
    ) -> None:
        self.grading = grading
        self._score_test_image = score_test_image
        self._image_error = image_error
        self._model_error = model_error
        self._test_image_passed = False

    def results(self, items: Sequence[PreparedImage], batch: ScoredBatch) -> list[Result]:
        """The result of each image of a batch.

        Args:
            items: images without an error.
            batch: their scores, in the same order.

        Raises:
            ModelError: if the numbers of a test image are not finite either.
        """
        return [
            self.grading.result(item, batch.image(i)) if batch.finite[i] else self.failed(item)
            for i, item in enumerate(items)
        ]

    def failed(self, item: PreparedImage) -> Result:
        """The result of an image with a number that is not finite.

        Raises:
            ModelError: if the numbers of a test image are not finite either.
        """
        if not self._test_image_passed:
            if not all(self._score_test_image(item.prompt).finite):
                raise ModelError(self._model_error)
            self._test_image_passed = True
        return self.grading.failed(item, self._image_error)
