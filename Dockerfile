# moeclip with the built-in model.
FROM python:3.12-slim

# Where to get PyTorch from, if not from pip's default index. The install page of pytorch.org shows the
# index of CPU builds, which make an image of a fraction of the size.
ARG TORCH_INDEX=""

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY moeclip_cli moeclip_cli
COPY weights weights
RUN pip install --no-cache-dir ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} torch torchvision \
    && pip install --no-cache-dir ".[parquet]" \
    && rm -rf /src/*

RUN useradd --create-home --uid 1000 moeclip
USER moeclip
WORKDIR /work
ENTRYPOINT ["moeclip"]
CMD ["--help"]
