#!/bin/sh
# Makes the demo's clips: a slate over a slow gradient, the shot's name and timecode burnt in, a chord under it.
# Needs ffmpeg with libx264 and drawtext, and the DejaVu fonts. The same ffmpeg makes the same bytes.
set -eu

fonts=/usr/share/fonts/truetype/dejavu
bold=$fonts/DejaVuSans-Bold.ttf
mono=$fonts/DejaVuSansMono.ttf

# make FILE SEQUENCE SHOT VERSION NOTE COLOUR COLOUR COLOUR SECONDS
make() {
    out="$(dirname "$0")/$1" name=$2_$3_$4
    picture="gradients=size=640x360:rate=25:duration=$9:speed=0.02:nb_colors=3:c0=$6:c1=$7:c2=$8:seed=7:x0=0:y0=0:x1=640:y1=360"
    slate="
drawbox=x=0:y=0:w=iw:h=34:color=black@0.55:t=fill,
drawbox=x=0:y=ih-34:w=iw:h=34:color=black@0.55:t=fill,
drawtext=fontfile=$mono:text='━━━━━━━━':fontsize=20:fontcolor=0xFFC857:x='-120+760*t/4':y=h-48,
drawtext=fontfile=$bold:text='$2':fontsize=84:fontcolor=white:shadowcolor=black@0.5:shadowx=3:shadowy=3:x=(w-text_w)/2:y=92,
drawtext=fontfile=$bold:text='$3':fontsize=40:fontcolor=white:shadowcolor=black@0.5:shadowx=2:shadowy=2:x=(w-text_w)/2:y=190,
drawtext=fontfile=$bold:text='$4':fontsize=28:fontcolor=0xFFC857:shadowcolor=black@0.5:shadowx=2:shadowy=2:x=(w-text_w)/2:y=244,
drawtext=fontfile=$mono:text='$name.mov':fontsize=16:fontcolor=white:x=14:y=9,
drawtext=fontfile=$mono:text='$5':fontsize=16:fontcolor=white@0.8:x=w-text_w-14:y=9,
drawtext=fontfile=$mono:timecode='10\:00\:00\:00':rate=25:fontsize=18:fontcolor=white:x=14:y=h-26,
drawtext=fontfile=$mono:text='frame %{frame_num}':start_number=1001:fontsize=16:fontcolor=white@0.8:x=w-text_w-14:y=h-25,
format=yuv420p"
    sound="aevalsrc=exprs='0.10*(sin(220*2*PI*t)+sin(277.18*2*PI*t)+sin(329.63*2*PI*t+0.3*sin(5*2*PI*t)))|0.10*(sin(220*2*PI*t)+sin(329.63*2*PI*t)+sin(415.30*2*PI*t))':sample_rate=48000:duration=$9,afade=t=in:d=0.3,afade=t=out:st=$(($9 - 1)).2:d=0.8"
    ffmpeg -hide_banner -loglevel error -y \
        -f lavfi -i "$picture" -f lavfi -i "$sound" \
        -vf "$(printf %s "$slate" | tr -d '\n')" \
        -c:v libx264 -preset veryslow -crf 24 -profile:v high -g 25 -threads 1 -pix_fmt yuv420p \
        -color_primaries bt709 -color_trc bt709 -colorspace bt709 \
        -c:a aac -b:a 96k -ac 2 \
        -map_metadata -1 -fflags +bitexact -flags:v +bitexact -flags:a +bitexact \
        -movflags +faststart -shortest "$out"
    ls -l "$out"
}

make SQ07_UNDLM_00152_v003.mov       SQ07 UNDLM_00152 v003 'PostFlow demo'      0x0B1D3A 0x1F6F78 0x6B2A57 4
make SQ07_UNDLM_00153_v001.mov       SQ07 UNDLM_00153 v001 'PostFlow demo'      0x3A1A0B 0x8A5A1F 0x2A4B6B 2
make SQ07_UNDLM_00152_v003-again.mov SQ07 UNDLM_00152 v003 'exported again'     0x12301A 0x5F8A2A 0x0E4A5A 2
