"""How many images a second ``programs/train_vgg16.py`` decodes and augments, by threads.

    python -m benchmarks.loader

The images are crops of the two photographs of scikit-learn, written as JPEG files of ImageNet's usual size, 500x375.
Then the program itself trains on them, for the share of its time that waits for images: the second of two epochs.
"""

import argparse
import csv
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import PIL.Image
from sklearn.datasets import load_sample_images

from benchmarks.report import add_out, heading, outputs, publish
from trainer.data.image_folder import scan
from trainer.data.image_loader import Augmentation, Loader

SIZE = 224
BATCH = 64
WIDTHS = ("0.0625", "0.25")  # 1 is for accelerators
PROGRAM = "programs.train_vgg16"


def write_photographs(folder, count):
    """So many different JPEG files, in two classes."""
    rng = np.random.default_rng(0)
    for name, picture in zip(("china", "flower"), load_sample_images().images, strict=True):
        (folder / name).mkdir()
        for i in range(count // 2):
            top, left = rng.integers(0, 427 - 375), rng.integers(0, 640 - 500)
            crop = PIL.Image.fromarray(picture[top : top + 375, left : left + 500])
            crop.save(folder / name / f"{i:04}.jpg", quality=90)


def images_per_second(images, threads, batches):
    """Of a stream in the steady state."""
    stream = Loader(SIZE, BATCH, threads).train(images, 0, Augmentation(0.08, 0.5))
    for _ in range(2):
        next(stream)
    begin = time.perf_counter()
    for _ in range(batches):
        next(stream)
    return batches * BATCH / (time.perf_counter() - begin)


def trained(folder, width, threads, out):
    """(images a second, share of the time that waits for them) in the second epoch of a training."""
    options = {"data": folder, "width": width, "threads": threads, "image-size": SIZE, "batch-size": BATCH, "out": out}
    options |= {"epochs": 2, "warmup-epochs": 0, "normalization": "batch"}
    arguments = [f"--{name}={value}" for name, value in options.items()]
    subprocess.run([sys.executable, "-m", PROGRAM, *arguments], check=True, stdout=subprocess.DEVNULL)
    with (out / "metrics.csv").open() as file:
        last = list(csv.DictReader(file))[-1]
    return float(last["images_per_second"]), float(last["waiting"])


def main():
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description="Images a second that the loader of train_vgg16.py delivers.")
    parser.add_argument("--images", type=int, default=512, help="files to write (default: 512)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2, 4, 8], help="default: 1 2 4 8")
    parser.add_argument("--rounds", type=int, default=5, help="to take the median of (default: 5)")
    parser.add_argument("--widths", nargs="*", default=WIDTHS, help="of networks to train (default: 0.0625 0.25)")
    add_out(parser, ".md")
    arguments = parser.parse_args()
    files = outputs(parser, arguments)
    rates = {threads: [] for threads in arguments.threads}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "images"
        folder.mkdir()
        write_photographs(folder, arguments.images)
        images = scan(folder).train
        for _ in range(arguments.rounds):
            for threads, measured in rates.items():
                measured.append(images_per_second(images, threads, batches=8))
        threads = min(max(rates), os.cpu_count() or 1)
        trainings = [trained(folder, width, threads, Path(temporary) / width) for width in arguments.widths]
    lines = [
        *heading(f"Images a second at {SIZE}x{SIZE}", "benchmarks.loader"),
        "Decoded from JPEG files of 500x375 pixels, cropped at random, flipped and normalised; "
        f"batches of {BATCH}, medians of {arguments.rounds} rounds.",
        "",
        "| threads | images a second |",
        "|---|---|",
        *(f"| {threads} | {statistics.median(measured):.0f} |" for threads, measured in rates.items()),
        "",
        f"`programs/train_vgg16.py` on the same files, {threads} threads, on {jax.devices()[0].device_kind}:",
        "",
        "| width of VGG16 | images a second | of the time waiting for images |",
        "|---|---|---|",
        *(f"| {w} | {rate:.1f} | {wait:.1%} |" for w, (rate, wait) in zip(arguments.widths, trainings, strict=True)),
    ]
    publish(files, lines)


if __name__ == "__main__":
    main()
