# The exporter for a host that runs corosync. With Docker or podman:
#
#   docker build --build-arg REVISION=$(git rev-parse --short HEAD) --tag corosync-exporter .
#   docker run --network host --ipc host --cap-drop all --read-only \
#     --security-opt no-new-privileges corosync-exporter
#
# README.md says how corosync lets its user in.
ARG BASE=docker.io/library/debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY deploy/packages deploy/civetweb deploy/
RUN deploy/packages build && deploy/civetweb
COPY CMakeLists.txt CMakePresets.json ./
COPY deploy/package deploy/package
COPY exporter exporter
ARG REVISION=unknown
RUN cmake --preset release -DCOROSYNC_EXPORTER_TESTS=OFF -DCOROSYNC_EXPORTER_REVISION="$REVISION" \
    && cmake --build --preset release --target corosync-exporter \
    && strip build/release/exporter/corosync-exporter

FROM ${BASE}
# What the program is linked with and no more: a library's name says which interface it has, and
# Debian 12 changes nothing else of them than what is unsafe.
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends \
       libcfg7 libcmap4 libprometheus-cpp-core1.0 libquorum5 libssl3 libvotequorum8 \
       libyaml-0-2 \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/log/*
COPY --from=build /src/build/release/exporter/corosync-exporter /usr/bin/

ARG REVISION=unknown
LABEL org.opencontainers.image.title="corosync-exporter" \
      org.opencontainers.image.description="Prometheus exporter for Corosync's quorum" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/corosync-exporter/corosync-exporter" \
      org.opencontainers.image.documentation="https://github.com/corosync-exporter/corosync-exporter#readme" \
      org.opencontainers.image.revision="$REVISION"

# A user of no name, of an id that a host is unlikely to give to anybody: corosync names it by its id.
USER 10056:10056
EXPOSE 10056
# By plain HTTP on the usual port: give your own --health-cmd where you serve HTTPS or on another one.
HEALTHCHECK --interval=30s --timeout=5s --start-period=5s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/10056 && printf 'GET /-/healthy HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [[ $status == 200 ]]"]
ENTRYPOINT ["/usr/bin/corosync-exporter"]
