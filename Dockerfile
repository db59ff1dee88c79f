# configsvc as an image: `docker build -t configsvc .`; see compose.yaml for a whole installation.
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY configsvc configsvc
COPY sql sql
RUN pip wheel --quiet --no-cache-dir --no-deps --wheel-dir /dist . \
 && python -m venv --without-pip /opt/configsvc \
 && pip --python /opt/configsvc/bin/python install --quiet --no-cache-dir --constraint constraints.txt /dist/*.whl

FROM python:3.11-slim
# A fixed number, so that a mounted folder can be given to it. The key's folder is its own; all else is root's.
RUN useradd --system --uid 10001 --no-create-home configsvc \
 && install --directory --owner configsvc --mode 0700 /var/lib/configsvc
COPY --from=build /opt/configsvc /opt/configsvc
ENV PATH=/opt/configsvc/bin:$PATH PYTHONUNBUFFERED=1 CONFIGSVC_HOST=0.0.0.0 CONFIGSVC_PORT=8400
# By number: only so can Kubernetes (runAsNonRoot) see that it is not root. Nothing is written but into /dev/shm.
USER 10001
EXPOSE 8400
ENTRYPOINT ["configsvc"]
CMD ["serve"]
