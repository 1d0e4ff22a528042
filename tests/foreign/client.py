"""A gRPC client on grpcio, for tests in another language.

Reads requests as lines of JSON from standard input and writes events as lines of JSON to standard
output. Messages are encoded by the other side.

    client.py SOCKET CHANNEL_OPTIONS

A request {"id", "path", "message", "timeout", "compression", "metadata", "stream"} begins a call,
and {"id", "cancel": true} cancels one. An event {"id", "message"} is a message of a stream, and
{"id", "code", "details", "message"} the end of a call. The first event is {"ready": true}.
"""

import base64
import json
import sys
import threading

import grpc

COMPRESSION = {
    "gzip": grpc.Compression.Gzip,
    "deflate": grpc.Compression.Deflate,
}

output = threading.Lock()


def write(event):
    with output:
        print(json.dumps(event), flush=True)


def encoded(message):
    return base64.b64encode(message or b"").decode()


def end(number, call, message=None):
    write(
        {
            "id": number,
            "code": call.code().name,
            "details": call.details() or "",
            "message": encoded(message),
        }
    )


def unary_ended(number, call):
    if call.cancelled():
        write({"id": number, "code": "CANCELLED", "details": "", "message": ""})
        return
    failure = call.exception()
    end(number, call, None if failure else call.result())


def read_stream(number, call):
    try:
        for message in call:
            write({"id": number, "message": encoded(message)})
    except grpc.RpcError:
        pass
    end(number, call)


def value(key, text):
    return base64.b64decode(text) if key.endswith("-bin") else text


def main():
    target, options = sys.argv[1], json.loads(sys.argv[2])
    channel = grpc.insecure_channel(target, options=list(options.items()))
    calls = {}
    write({"ready": True})
    for line in sys.stdin:
        request = json.loads(line)
        number = request["id"]
        if request.get("cancel"):
            calls[number].cancel()
            continue
        metadata = [(key, value(key, text)) for key, text in request.get("metadata", [])]
        options = {
            "timeout": request.get("timeout"),
            "metadata": metadata,
            "compression": COMPRESSION.get(request.get("compression")),
        }
        message = base64.b64decode(request["message"])
        if request.get("stream"):
            call = channel.unary_stream(request["path"])(message, **options)
            thread = threading.Thread(target=read_stream, args=(number, call), daemon=True)
            thread.start()
        else:
            call = channel.unary_unary(request["path"]).future(message, **options)
            call.add_done_callback(lambda call, number=number: unary_ended(number, call))
        calls[number] = call


main()
