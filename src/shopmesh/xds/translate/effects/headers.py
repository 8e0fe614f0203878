"""Headers: https://www.envoyproxy.io/docs/envoy/v1.40.0/configuration/http/http_conn_man/headers"""

from __future__ import annotations

from collections.abc import Iterable

from envoy.config.core.v3.base_pb2 import HeaderValue, HeaderValueOption

from shopmesh.appmesh.annotations.headers import Headers
from shopmesh.xds.translate.effects.effect_context import EffectContext


def add_to_request(context: EffectContext, headers: Headers) -> None:
    context.message.request_headers_to_add.extend(_options(headers))


def add_to_response(context: EffectContext, headers: Headers) -> None:
    context.message.response_headers_to_add.extend(_options(headers))


def remove_from_request(context: EffectContext, names: tuple[str, ...]) -> None:
    context.message.request_headers_to_remove.extend(names)


def remove_from_response(context: EffectContext, names: tuple[str, ...]) -> None:
    context.message.response_headers_to_remove.extend(names)


def _options(headers: Headers) -> Iterable[HeaderValueOption]:
    for name, value in headers:
        yield HeaderValueOption(
            # Envoy would look for command operators between per cent signs.
            header=HeaderValue(key=name, value=value.replace("%", "%%")),
            append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
            keep_empty_value=True,
        )
