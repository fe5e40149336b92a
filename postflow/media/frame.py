"""A script for a process of its own, which has the decoder imported and begins another process for
each clip: with the clip as its standard input, and on its standard output one frame of it, as a
JPEG and as a small one after that, or nothing. `picture` starts it.

The clip is hostile input to a large decoder, so that process imports nothing of ours, knows no
secret and no path, opens no file but the one it was given, and has little time and memory. The
container is named beforehand and read through a Python file, so that no protocol of FFmpeg's is
in reach: https://ffmpeg.org/ffmpeg-protocols.html
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import statistics
import sys
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av

# PyAV imports these when it meets a stream; by then nothing can be opened any more.
import av.audio.stream
import av.subtitles.stream
from av.container import InputContainer
from av.filter import Graph
from av.video.stream import VideoStream

# Seconds without a clip after which nothing is kept in memory for the next.
IDLE = 60.0
# Seconds between two looks for processes that have ended.
REAP = 0.5
LINE = 32
SECONDS = 15
CPU_SECONDS = 8
MEMORY = 2 << 30
MOST_PIXELS = 8192 * 8192
MOST_FRAMES = 600
LARGEST, SMALL = 100_000, 8_000
LONGEST_SIDE, SMALL_SIDE = 640, 240

# What clips for review are coded with; FFmpeg knows some 500 more.
# fmt: off
CODECS = frozenset((
    "av1", "cfhd", "dnxhd", "ffv1", "h264", "hap", "hevc", "jpeg2000", "libdav1d", "libvpx-vp9",
    "mjpeg", "mpeg2video", "mpeg4", "png", "prores", "qtrle", "r210", "rawvideo", "v210", "v410",
    "vp8", "vp9",
))
# fmt: on
# Windows of the clip's length, which together are its middle third; the middle first.
WINDOWS = [(Fraction(first, 12), Fraction(first + 1, 12)) for first in (5, 6, 4, 7)]

# Of 255. A picture is lively where its brightness spreads so far, black or a plain colour where its
# deviation is less.
LIVELY_SPREAD = 24
LEAST_DEVIATION = 3.0

# By the degrees, counterclockwise, that a player turns a frame by.
TURNS = {90: ("cclock",), -90: ("clock",), 180: ("clock", "clock"), -180: ("clock", "clock")}


def limit() -> None:
    """From here on no file or socket is opened. Not every system knows every limit."""
    signal.alarm(SECONDS)
    limits = {
        resource.RLIMIT_AS: MEMORY,
        resource.RLIMIT_CPU: CPU_SECONDS,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: 3,
    }
    for each, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(each, (most, most))
    with suppress(OSError):
        os.nice(10)


def serve(asked: socket.socket) -> None:
    """`make NUMBER CONTAINER`, with the clip and where its picture goes; `end NUMBER`; until who
    asks is gone, or has not asked for long. Lines of LINE bytes.
    """
    started: dict[bytes, int] = {}
    while True:
        started = {key: pid for key, pid in started.items() if not os.waitpid(pid, os.WNOHANG)[0]}
        asked.settimeout(REAP if started else IDLE)
        try:
            words = _next(asked)
        except TimeoutError:
            if started:
                continue
            break
        match words:
            case [b"make", number, container], [clip, picture]:
                started[number] = _begin(container.decode(), clip, picture)
            case [b"end", number], [] if number in started:
                os.kill(started[number], signal.SIGKILL)
            case None:
                break
    for pid in started.values():
        os.kill(pid, signal.SIGKILL)


def _next(asked: socket.socket) -> tuple[list[bytes], list[int]] | None:
    line, files, _, _ = socket.recv_fds(asked, LINE, 2)
    return (line.split(), files) if line else None


def _begin(container: str, clip: int, picture: int) -> int:
    """The new process, which has nothing of this one's open but these two."""
    if pid := os.fork():
        os.close(clip)
        os.close(picture)
        return pid
    try:
        for here, file in enumerate((clip, picture)):
            os.dup2(file, here)
            os.close(file)
        main(container)
        sys.stdout.flush()
    finally:
        os._exit(0)


def main(container: str) -> None:
    limit()
    with (
        os.fdopen(0, "rb", buffering=0) as file,
        av.open(file, "r", format=container, options=_options()) as clip,
    ):
        frame = _best(_frames(clip))
        picture = _upright(frame, _proportion(clip)) if frame else None
    if picture and (jpeg := _jpeg(picture, LARGEST)):
        sys.stdout.buffer.write(jpeg + (_jpeg(_small(picture), SMALL) or b""))


def _options() -> dict[str, str]:
    return {
        "codec_whitelist": ",".join(CODECS),
        "max_pixels": str(MOST_PIXELS),
        "probesize": str(4 << 20),
        "max_streams": "64",
    }


def _frames(clip: InputContainer) -> Iterator[av.VideoFrame]:
    """One of each window, in turn. What cannot be decoded is left out."""
    stream = clip.streams.video[0]
    decoder = stream.codec_context
    if decoder.name not in CODECS or decoder.width * decoder.height > MOST_PIXELS:
        return
    decoder.options = {"max_pixels": str(MOST_PIXELS)}
    decoder.thread_count = 1
    decoder.skip_frame = "NONREF"
    begin, length = _extent(clip, stream)
    for first, last in WINDOWS:
        with suppress(av.error.FFmpegError, OverflowError):
            clip.seek(int((begin + length * last) / _tick(stream)), stream=stream)
            frame = _first_after(begin + length * first, clip, stream)
            if frame is not None:
                yield frame


def _extent(clip: InputContainer, stream: VideoStream) -> tuple[Fraction, Fraction]:
    """Seconds at which the pictures begin, and for which they last by the file's own account."""
    begin = (stream.start_time or 0) * _tick(stream)
    if stream.duration:
        return begin, stream.duration * _tick(stream)
    return begin, Fraction(clip.duration or 0, av.time_base)


def _tick(stream: VideoStream) -> Fraction:
    """Seconds of the stream's unit of time."""
    return stream.time_base or Fraction(1, 25)


def _first_after(
    seconds: Fraction, clip: InputContainer, stream: VideoStream
) -> av.VideoFrame | None:
    """The last that there is where none is so late, or too many come before it."""
    frame = None
    for number, frame in enumerate(clip.decode(stream)):
        if frame.pts is None or frame.pts * _tick(stream) > seconds or number > MOST_FRAMES:
            break
    return frame


def _best(frames: Iterator[av.VideoFrame]) -> av.VideoFrame | None:
    """The first lively one, else the liveliest that is not of one colour."""
    best, most = None, LEAST_DEVIATION
    for frame in frames:
        lights = _lights(frame)
        spread = lights[len(lights) * 95 // 100] - lights[len(lights) * 5 // 100]
        deviation = statistics.pstdev(lights)
        if deviation > most:
            best, most = frame, deviation
        if deviation > LEAST_DEVIATION and spread >= LIVELY_SPREAD:
            return frame
    return best


def _lights(frame: av.VideoFrame) -> list[int]:
    """The brightness of 48 x 48 places, darkest first."""
    plane = frame.reformat(48, 48, "gray", interpolation="AREA").planes[0]
    data = bytes(plane)
    return sorted(b"".join(data[row * plane.line_size :][:48] for row in range(48)))


def _proportion(clip: InputContainer) -> Fraction:
    """Of a pixel, width to height; what is beyond reason is none."""
    stated = clip.streams.video[0].sample_aspect_ratio or Fraction(1)
    return stated if Fraction(1, 4) <= stated <= 4 else Fraction(1)


def _jpeg(picture: av.VideoFrame, largest: int) -> bytes | None:
    """As good as fits."""
    for coarseness in (4, 6, 9, 13, 19, 27):
        encoder = av.CodecContext.create("mjpeg", "w")
        encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.options = {"qmin": str(coarseness), "qmax": str(coarseness)}
        jpeg = b"".join(
            bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None))
        )
        if len(jpeg) <= largest:
            return jpeg
    return None


def _upright(frame: av.VideoFrame, proportion: Fraction) -> av.VideoFrame:
    """In its true proportions, and turned as a player would turn it."""
    width, height = _size(float(frame.width * proportion), float(frame.height), LONGEST_SIDE)
    picture = frame.reformat(
        width, height, "yuvj420p", interpolation="AREA", dst_colorspace="ITU601"
    )
    for turn in TURNS.get(frame.rotation, ()):
        picture = _turned(picture, turn)
    picture.pts, picture.time_base = 0, Fraction(1, 25)
    return picture


def _small(picture: av.VideoFrame) -> av.VideoFrame:
    width, height = _size(picture.width, picture.height, SMALL_SIDE)
    small = picture.reformat(width, height, interpolation="AREA")
    small.pts, small.time_base = picture.pts, picture.time_base
    return small


def _size(wide: float, high: float, longest: int) -> tuple[int, int]:
    """Even numbers; the longer side is of `longest`, or as it is."""
    scale = min(1.0, longest / max(wide, high))
    return max(2, round(wide * scale / 2) * 2), max(2, round(high * scale / 2) * 2)


def _turned(frame: av.VideoFrame, turn: str) -> av.VideoFrame:
    graph = Graph()
    graph.link_nodes(
        graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25)
        ),
        graph.add("transpose", turn),
        graph.add("buffersink"),
    ).configure()
    graph.vpush(frame)
    return graph.vpull()


if __name__ == "__main__":
    serve(socket.socket(fileno=0))
