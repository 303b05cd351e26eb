"""Why 10% of the nuclei fails in repeat 0: grey values of the backgrounds, labelled and held out.

python docs/results/transfer-pilot/backgrounds.py --work DIR
"""

import argparse
from pathlib import Path

import numpy as np
from tables import HERE, table, write_rows

import crosspatch as cp
from crosspatch.evaluation.subjects import contents_of

RUN = "nuclei-scratch-10-0"


def main() -> None:
    """Write ``backgrounds.csv``: each labelled and each held-out image, and its IoU."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    work = parser.parse_args().work
    dataset = cp.Dataset.open(work / "datasets" / "nuclei-0")
    contents = contents_of(dataset)
    spent = cp.Model.open(work / "runs" / RUN / "model").facts.contents
    scores = {row["subject"]: row["iou"] for row in table(work, RUN)}
    rows = []
    for subject in dataset.labelled:
        labelled = contents[subject.name] in spent
        if not labelled and subject.name not in scores:
            continue
        pixels, mask = dataset.read_image(subject).pixels[0], dataset.read_mask(subject)
        rows.append(
            {
                "image": subject.name,
                "use": "labelled" if labelled else "held out",
                "background": f"{np.median(pixels[mask == 0]):.0f}",
                "nuclei": f"{np.median(pixels[mask == 1]):.0f}",
                "iou": scores.get(subject.name, ""),
            }
        )
    write_rows("backgrounds.csv", rows)
    print(HERE / "backgrounds.csv")


if __name__ == "__main__":
    main()
