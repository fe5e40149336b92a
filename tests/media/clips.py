"""Real clips of the formats a studio delivers, made by ffmpeg once a session."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "12")
AAC = ("-c:a", "aac")
PCM = ("-c:a", "pcm_s16le")
FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"

# Name of the file -> how ffmpeg makes it. The names sort as the tests are reported.
FORMATS: dict[str, tuple[str, ...]] = {
    "h264.mov": (*H264, *AAC),
    "faststart.mov": (*H264, *AAC, "-movflags", "+faststart"),
    "prores.mov": ("-c:v", "prores_ks", "-profile:v", "0", "-c:a", "pcm_s24le"),
    "fragmented.mp4": (*H264, *AAC, "-movflags", FRAGMENTS),
    "late_fragments.mp4": (*H264, *AAC, "-movflags", "frag_keyframe"),
    "indexed_fragments.mp4": (*H264, *AAC, "-movflags", f"{FRAGMENTS}+global_sidx+skip_trailer"),
    "op1a.mxf": ("-c:v", "mpeg2video", "-b:v", "2M", *PCM),
    "opatom.mxf": (
        *("-c:v", "dnxhd", "-profile:v", "dnxhr_lb", "-pix_fmt", "yuv422p"),
        *("-an", "-f", "mxf_opatom"),
    ),
    "mpeg4.avi": ("-c:v", "mpeg4", "-b:v", "1M", *PCM),
    "h264.mkv": (*H264, *AAC),
    "vp8.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libvorbis"),
}

# Whole files that end in zeros, or have them in places where other files have content.
PECULIAR: dict[str, tuple[str, ...]] = {
    "silent_faststart.mov": (
        *("-c:v", "prores_ks", "-profile:v", "0", "-af", "volume=0", "-c:a", "pcm_s24le"),
        *("-movflags", "+faststart"),
    ),
    "reserved_index.mov": (*H264, *AAC, "-moov_size", "200000"),
    "black_uncompressed.mov": (
        *("-vf", "drawbox=c=black:t=fill", "-c:v", "rawvideo", "-pix_fmt", "rgb24"),
        *("-an", "-frames:v", "2", "-movflags", "+faststart"),
    ),
    "black_uncompressed.avi": (
        *("-vf", "drawbox=c=black:t=fill", "-c:v", "rawvideo", "-pix_fmt", "bgr24"),
        *("-an", "-frames:v", "2"),
    ),
    "silent.avi": ("-c:v", "mpeg4", "-af", "volume=0", *PCM),
    "silent_cues_in_front.mkv": (
        *(*H264, "-af", "volume=0", *PCM, "-shortest"),
        *("-cues_to_front", "1", "-reserve_index_space", "4000"),
    ),
    "sound_only.m4a": ("-vn", *AAC),
    "black.mxf": ("-vf", "drawbox=c=black:t=fill", "-c:v", "mpeg2video", "-af", "volume=0", *PCM),
}


def why_no_ffmpeg() -> str | None:
    return None if shutil.which("ffmpeg") else "ffmpeg is not installed"


def command(arguments: tuple[str, ...], target: Path, *, seconds: float, live: bool) -> list[str]:
    """ffmpeg on generated picture and sound; `live` makes it take as long as the clip lasts."""
    pace = ("-re",) if live else ()
    return [
        *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *(*pace, "-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={seconds}"),
        *(*pace, "-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"),
        *("-threads", "1"),
        *arguments,
        str(target),
    ]


def make(folder: Path, name: str, arguments: tuple[str, ...], *, seconds: float = 3) -> Path:
    target = folder / name
    subprocess.run(command(arguments, target, seconds=seconds, live=False), check=True)
    return target
