# The service `dph-eval serve`. Not built by the checks of this repository.
#   docker build -t dph-eval .
#   docker run -p 8080:8080 -v "$PWD/runs:/runs:ro" -e DPH_API_KEYS=secret dph-eval mine=/runs/mine
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package dph-eval --features serve

FROM debian:bookworm-slim
RUN useradd --system --create-home dph
USER dph
COPY --from=build /src/target/release/dph-eval /usr/local/bin/
EXPOSE 8080
# The container is asked to end by SIGTERM, and the service then answers what it has accepted.
# `-e DPH_LISTEN=0.0.0.0:9000` or `--listen` chooses another address.
ENV DPH_LISTEN=0.0.0.0:8080
ENTRYPOINT ["dph-eval", "serve"]
