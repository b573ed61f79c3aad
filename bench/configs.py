"""The proxies' configurations, as text: the same way through, with what each of them has of policies.

With policies Envoy and HAProxy check the RS256 token (Envoy remembers it), limit the rate and write a JSON line per
request to a file. nginx and Caddy, as they are packaged, check no tokens: they write the line, and nginx limits.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.keys import ISSUER, Keys

BASE = "/bench/1.0"
FAST = 1_000_000
"""A limit that is counted and never reached."""

Json = dict[str, Any]
"""A piece of Envoy's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """From which port to which, with what on the way. `folder` takes logs and temporary files."""

    port: int
    upstream: int
    folder: Path
    keys: Keys
    policies: bool
    tls: bool

    @property
    def log(self) -> Path:
        """Where the line per request goes."""
        return self.folder / "access.log"


def nginx(way: Way) -> str:
    """Return nginx.conf: one process, kept connections to the upstream."""
    tls = (
        f"ssl_certificate {way.keys.certificate}; ssl_certificate_key {way.keys.private};" if way.tls else ""
    )
    policies = (
        f"access_log {way.log} line buffer=64k; limit_req zone=callers burst={FAST} nodelay;"
        if way.policies
        else "access_log off;"
    )
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {way.folder / kind};" for kind in kinds)
    return f"""
daemon off; master_process off; worker_processes 1; pid {way.folder / "pid"}; error_log {way.folder / "error.log"};
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
  {temporary}
  log_format line escape=json '{{"at":"$time_iso8601","from":"$remote_addr","method":"$request_method",'
    '"uri":"$uri","status":$status,"bytes":$bytes_sent,"seconds":$request_time}}';
  limit_req_zone $binary_remote_addr zone=callers:10m rate={FAST}r/s;
  upstream provider {{ server 127.0.0.1:{way.upstream}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{way.port}{" ssl" if way.tls else ""} backlog=2048; {tls}
    keepalive_requests 1000000000; client_max_body_size 0; client_body_buffer_size 128k;
    {policies}
    location {BASE}/ {{
      proxy_pass http://provider/; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_request_buffering off; proxy_max_temp_file_size 0;
    }}
  }}
}}
"""


def haproxy(way: Way) -> str:
    """Return haproxy.cfg: one thread; its log lines go to standard output."""
    tls = f" ssl crt {way.keys.pair}" if way.tls else ""
    policies = f"""
  log stdout format raw daemon
  log-format '{{"from":"%ci","at":"%tr","status":%ST,"bytes":%B,"ms":%Ta,"request":%{{+Q}}r}}'
  stick-table type ip size 100k expire 60s store http_req_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {FAST} }}
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request deny deny_status 401 unless {{ var(txn.iss) -m str {ISSUER} }}
  http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify("RS256","{way.keys.public}") 1 }}
"""
    return f"""
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 3s
  timeout client 60s
  timeout server 60s
  http-reuse always
frontend callers
  bind 127.0.0.1:{way.port} backlog 2048{tls}
  {policies if way.policies else ""}
  http-request replace-path {BASE}(/.*) \\1
  default_backend provider
backend provider
  server one 127.0.0.1:{way.upstream} pool-max-conn 512
"""


def caddy(way: Way) -> str:
    """Return a Caddyfile."""
    host = f"https://127.0.0.1:{way.port}" if way.tls else f"http://127.0.0.1:{way.port}"
    tls = f"tls {way.keys.certificate} {way.keys.private}" if way.tls else ""
    log = f"log {{\n output file {way.log}\n format json\n }}" if way.policies else ""
    return f"""
{{
  admin off
  auto_https off
}}
{host} {{
  bind 127.0.0.1
  {tls}
  {log}
  handle_path {BASE}/* {{
    reverse_proxy 127.0.0.1:{way.upstream} {{
      transport http {{
        keepalive_idle_conns_per_host 512
      }}
    }}
  }}
}}
"""


def envoy(way: Way) -> str:
    """Return Envoy's configuration, which is to be run with `--concurrency 1`."""
    listener: Json = {"name": "callers", "address": _address(way.port), "filter_chains": [_chain(way)]}
    cluster = {
        "name": "provider",
        "type": "STATIC",
        "connect_timeout": "3s",
        "load_assignment": {
            "cluster_name": "provider",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(way.upstream)}}]}],
        },
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}})


def _address(port: int) -> Json:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _chain(way: Way) -> Json:
    http = {
        **_typed("filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "callers",
        "codec_type": "HTTP1",
        "http_filters": _filters(way),
        "access_log": [_access_log(way)] if way.policies else [],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [_route()]}]},
    }
    chain: Json = {
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": http}]
    }
    if way.tls:
        files = {
            "certificate_chain": {"filename": str(way.keys.certificate)},
            "private_key": {"filename": str(way.keys.private)},
        }
        context = {
            **_typed("transport_sockets.tls.v3.DownstreamTlsContext"),
            "common_tls_context": {"tls_certificates": [files]},
        }
        chain["transport_socket"] = {"name": "envoy.transport_sockets.tls", "typed_config": context}
    return chain


def _typed(name: str) -> Json:
    return {"@type": f"type.googleapis.com/envoy.extensions.{name}"}


def _route() -> Json:
    return {"match": {"prefix": BASE + "/"}, "route": {"cluster": "provider", "prefix_rewrite": "/"}}


def _filters(way: Way) -> list[Json]:
    filters: list[Json] = []
    if way.policies:
        provider = {
            "issuer": ISSUER,
            "local_jwks": {"inline_string": way.keys.jwks},
            "jwt_cache_config": {"jwt_cache_size": 1000},
        }
        token = {
            **_typed("filters.http.jwt_authn.v3.JwtAuthentication"),
            "providers": {"bench": provider},
            "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
        }
        always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
        limit = {
            **_typed("filters.http.local_ratelimit.v3.LocalRateLimit"),
            "stat_prefix": "limit",
            "token_bucket": {"max_tokens": FAST, "tokens_per_fill": FAST, "fill_interval": "1s"},
            "filter_enabled": always,
            "filter_enforced": always,
        }
        filters = [
            {"name": "envoy.filters.http.jwt_authn", "typed_config": token},
            {"name": "envoy.filters.http.local_ratelimit", "typed_config": limit},
        ]
    router = {"name": "envoy.filters.http.router", "typed_config": _typed("filters.http.router.v3.Router")}
    return [*filters, router]


def _access_log(way: Way) -> Json:
    line = {
        "at": "%START_TIME%",
        "from": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
        "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
        "status": "%RESPONSE_CODE%",
        "bytes": "%BYTES_SENT%",
        "ms": "%DURATION%",
        "id": "%REQ(X-REQUEST-ID)%",
    }
    config = {
        **_typed("access_loggers.file.v3.FileAccessLog"),
        "path": str(way.log),
        "log_format": {"json_format": line},
    }
    return {"name": "envoy.access_loggers.file", "typed_config": config}
