"""Under which terms each data set may be used, and whether its samples may be shown to others.

The papers' claims need numbers only. Pictures, sentences and clouds of a set that is for
non-commercial research, or whose authors state no licence, are drawn on a user's own machine and
nowhere else: nothing of them stands in git, on the site or in an archive.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["LICENCES", "Licence", "may_stand_here", "of", "publishable"]


class Licence(NamedTuple):
    """words: the terms, as the original source is known to state them; publishable: whether they
    let samples be shown to others; cite: whom; samples: how many training and test samples there
    are, in words."""

    words: str
    publishable: bool
    cite: str
    samples: str


_NONE = "none stated"
_IMAGENET = "NC (ImageNet terms)"
_UCI = "CC BY 4.0 (UCI)"
_LECUN = "LeCun, Bottou, Bengio and Haffner 1998"
LICENCES: dict[str, Licence] = {
    "adult": Licence(_UCI, True, "Kohavi and Becker 1996", "32,561 + 16,281 rows"),
    "bike_sharing": Licence(_UCI, True, "Fanaee-T and Gama 2013", "10,886 + 6,493 rows"),
    "breast_cancer": Licence(
        _UCI, True, "Wolberg, Mangasarian, Street and Street 1993", "399 + 170 rows"
    ),
    "tv_commercials": Licence(_UCI, True, "Guha, Kannao and Soni 2014", "14,200 + 3,520 rows"),
    "mnist": Licence(_NONE, False, _LECUN, "60,000 + 10,000 images"),
    "mnist_part": Licence(_NONE, False, _LECUN, "12,000 + 2,000 images"),
    "fashion_mnist": Licence(
        "MIT", True, "Xiao, Rasul and Vollgraf 2017", "60,000 + 10,000 images"
    ),
    "cifar10": Licence(_NONE, False, "Krizhevsky 2009", "50,000 + 10,000 images"),
    "tiny_imagenet": Licence(
        _IMAGENET, False, "Deng et al. 2009; Le and Yang 2015", "100,000 + 10,000 images"
    ),
    "tiny_imagenet_20": Licence(
        _IMAGENET, False, "Deng et al. 2009; Le and Yang 2015", "6,000 + 1,000 images"
    ),
    "cub200": Licence("NC (Caltech)", False, "Wah et al. 2011", "20 birds"),
    "sst2": Licence(_NONE, False, "Socher et al. 2013", "67,349 + 872 sentences"),
    "modelnet10_voxels": Licence(
        "academic use (Princeton)", False, "Wu et al. 2015", "chairs and monitors"
    ),
    "modelnet10": Licence(
        "academic use (Princeton)", False, "Wu et al. 2015", "3,991 + 908 shapes"
    ),
    "modelnet40": Licence(
        "academic use (Princeton)", False, "Wu et al. 2015", "9,843 + 2,468 shapes"
    ),
    "motorbikes": Licence(
        "NC (ShapeNet terms); academic use (Princeton)",
        False,
        "Yi et al. 2016; Wu et al. 2015",
        "motorbikes in parts, chairs, monitors",
    ),
    "shapenet_part": Licence("NC (ShapeNet terms)", False, "Yi et al. 2016", "16,881 shapes"),
    "sst2_wordpiece": Licence(_NONE, False, "Socher et al. 2013", "67,349 + 872 sentences"),
    "sst2_xlnet": Licence(_NONE, False, "Socher et al. 2013", "67,349 + 872 sentences"),
    "planted": Licence("made here", True, "ours", "as many as are asked for"),
    "resnet18/imagenet_n13": Licence("MIT (shapiq)", True, "Muschalik et al. 2024", "20 games"),
    "vit/imagenet_n9": Licence("MIT (shapiq)", True, "Muschalik et al. 2024", "20 games"),
    "vit/imagenet_n16": Licence("MIT (shapiq)", True, "Muschalik et al. 2024", "20 games"),
    "distilbert/imdb_n14": Licence("MIT (shapiq)", True, "Muschalik et al. 2024", "20 games"),
}
"""By the name of a data set, or network/name of a value table. What has no entry is not shown."""


def of(name: str) -> Licence:
    """The licence of a data set; of one that has no entry here: not stated, and not to be shown."""
    return LICENCES.get(name, Licence("not stated here", False, "", "size not stated"))


def publishable(name: str) -> bool:
    """Whether samples of the set may be shown to others; False for a set that is not known, a
    user's own say."""
    return name in LICENCES and LICENCES[name].publishable


def may_stand_here(name: str) -> bool:
    """Whether samples of the set may stand in this repository and on its pages: those that lie in
    it already, and what its licence lets be shown."""
    return publishable(name) or name == "mnist_part"
