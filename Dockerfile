# The bot in a container. See “In a container” in docs/operating.md for how to build and run it.
FROM python:3.12-slim AS packages
RUN python -m venv /opt/vsearch
COPY requirements/run.txt /tmp/run.txt
# Install packages by version and hash, and before the code is copied, so that a change of the code reuses this layer.
RUN /opt/vsearch/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r /tmp/run.txt

FROM python:3.12-slim
RUN useradd --no-create-home --uid 10001 vsearch && install -d -o vsearch -g vsearch -m 700 /data
COPY --from=packages /opt/vsearch /opt/vsearch
COPY bot /app/bot
COPY handlers /app/handlers
# It has the version.
COPY pyproject.toml /app/pyproject.toml
USER vsearch
WORKDIR /app
# All data is in one volume. With PORT set, the bot listens on all of the container's addresses.
ENV PATH=/opt/vsearch/bin:$PATH VSEARCH_DATA_DIR=/data PORT=3000 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 3000
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
  CMD python -c "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"
# Exec form: SIGTERM reaches the bot itself, which then finishes the work in progress.
ENTRYPOINT ["python", "-m", "bot"]
CMD ["serve"]
