# For compose.yaml. docs/install.md says what was checked of it.
FROM python:3.13-slim AS build
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE prefect.yaml ./
COPY postflow postflow
COPY flows flows
COPY tasks tasks
COPY blocks blocks
COPY sandbox sandbox
ENV UV_PROJECT_ENVIRONMENT=/opt/postflow UV_PYTHON_DOWNLOADS=never
RUN uv sync --frozen --no-dev --no-editable --extra picture --extra postgres

FROM python:3.13-slim
# The watch folder has to be this user's, at least for the marker in it.
RUN useradd --uid 1000 --create-home postflow \
    && install --directory --owner=postflow --mode=0700 /state
COPY --from=build /opt/postflow /opt/postflow
ENV PATH=/opt/postflow/bin:$PATH POSTFLOW_STATE_DIR=/state PREFECT_HOME=/state/prefect
USER 1000
VOLUME /state
ENTRYPOINT ["postflow"]
CMD ["up"]
