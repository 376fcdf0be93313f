"""The claims, the paper's and ours, and the figures that decide each.

They and their rules were written before any result of the presets `laptop` and `paper` was seen.
"""

from __future__ import annotations

from experiments.visuotactile_representation.accuracies import CONFUSED
from experiments.visuotactile_representation.grasps import CROSS_MODAL, MOCO
from experiments.visuotactile_representation.intervals import Figure
from experiments.visuotactile_representation.presets import RESNET, VIT
from experiments.visuotactile_representation.rules import (
    ABOVE,
    ALIKE,
    BELOW,
    FAR_ABOVE_CHANCE,
    Claim,
    Content,
    Evidence,
)
from experiments.visuotactile_representation.spaces import AS_RECORDED, AUGMENTED, method


def _classified(*names: str, trained: str = "plain") -> Evidence:
    def evidence(content: Content) -> dict[str, Figure]:
        found = content["differences"]
        return {name: found[f"{name}, trained {trained}, tested {trained}"] for name in names}

    return evidence


def _in_space(name: str, *measures: str) -> Evidence:
    """Differences of measures of the space, for each modality or pair that they have; all of a cluster's."""

    def evidence(content: Content) -> dict[str, Figure]:
        found = {}
        for measure in measures:
            columns = content["differences"][name][measure]
            both = [column for column in columns if " + " in column]
            for column in both or columns:
                found[f"{measure}, {column}: {name}"] = columns[column]
        return found

    return evidence


def _times_chance(name: str) -> Evidence:
    def evidence(content: Content) -> dict[str, Figure]:
        ways = content["figures"][name]["recall@10"]
        return {
            f"{way}, × chance": {
                key: each[key] if each[key] is None or key == "seeds" else each[key] / each["chance"]
                for key in ("value", "low", "high", "seeds")
            }
            for way, each in ways.items()
        }

    return evidence


def _queued(batch: int) -> Evidence:
    return lambda content: content["queue − in-batch"].get(str(batch), {})


def _grasped(question: str) -> Evidence:
    name = f"{CROSS_MODAL} − {MOCO}"
    return lambda content: {name: content["differences"][question][name]}


def _more_confused(content: Content) -> dict[str, Figure]:
    name = f"{' and '.join(CONFUSED)} minus the next pair, share of pairs"
    return {name: content[name]}


BOTH_BACKBONES = (RESNET, VIT)
CLASSIFY, JOINT, QUEUE, GRASPS = "classification", "joint", "queue", "grasps"
CLAIMS = (
    Claim(
        "Touch alone is clearly worse than vision",
        "“significantly worse”; bar chart without numbers",
        CLASSIFY,
        _classified(*(f"touch − vision, {each}" for each in BOTH_BACKBONES)),
        BELOW,
    ),
    Claim(
        "Without occlusion both are about as good as vision",
        "“comparable performance”; bar chart without numbers",
        CLASSIFY,
        _classified(*(f"both − vision, {each}" for each in BOTH_BACKBONES)),
        ALIKE,
    ),
    Claim(
        "With occlusion both are better than vision",
        "“outperformed the vision-only classifier” (ResNet); bar chart without numbers",
        CLASSIFY,
        _classified(f"both − vision, {RESNET}", trained="occluded"),
        ABOVE,
    ),
    Claim(
        "The ViT helps touch",
        "“a more significant improvement”; bar chart without numbers",
        CLASSIFY,
        _classified("ViT − ResNet, touch"),
        ABOVE,
    ),
    Claim(
        "The ViT helps vision, slightly",
        "“slightly outperform”; bar chart without numbers",
        CLASSIFY,
        _classified("ViT − ResNet, vision"),
        ABOVE,
    ),
    Claim(
        "With both, ViT and ResNet are comparable",
        "95.3 % with ResNets, the best; ViT in a bar chart without numbers",
        CLASSIFY,
        _classified("ViT − ResNet, both"),
        ALIKE,
    ),
    Claim(
        f"{' and '.join(CONFUSED)} are confused most (both, ResNet)",
        "“the two classes that created the most confusion”",
        CLASSIFY,
        _more_confused,
        ABOVE,
    ),
    *(
        Claim(
            f"Augmentation raises clustering by object, {each}",
            "hypothesis; found “more clustering”, not “clear clustering based on the object class”; by eye",
            JOINT,
            _in_space(f"{AUGMENTED} − {AS_RECORDED}, {each}", "purity", "rand"),
            ABOVE,
        )
        for each in BOTH_BACKBONES
    ),
    Claim(
        "The ViT's embeddings are more uniform on the sphere",
        "“more uniformly distributed”; by eye",
        JOINT,
        _in_space(f"ViT − ResNet, {AS_RECORDED}", "uniformity"),
        BELOW,
        shares=False,
    ),
    Claim(
        "The ViT's space is more clustered by object",
        "“appear to be more clustered by class”; by eye",
        JOINT,
        _in_space(f"ViT − ResNet, {AS_RECORDED}", "purity", "rand"),
        ABOVE,
    ),
    *(
        Claim(
            f"Recall@10 on perturbed poses is far above chance, {name}",
            "ours",
            JOINT,
            _times_chance(name),
            FAR_ABOVE_CHANCE,
            shares=False,
        )
        for name in (method(each, augmented) for each in BOTH_BACKBONES for augmented in (False, True))
    ),
    *(
        Claim(
            f"A queue raises recall@10 at batch {batch}",
            "future work: “to improve performance”",
            QUEUE,
            _queued(batch),
            ABOVE,
        )
        for batch in (16, 64, 256)
    ),
    *(
        Claim(
            f"Attention beats concatenation, {words}",
            "future work, not run for want of compute",
            CLASSIFY,
            _classified(*(f"attention − concatenation, {each}" for each in backbones), trained=trained),
            ABOVE,
        )
        for words, trained, backbones in (
            ("without occlusion", "plain", BOTH_BACKBONES),
            ("with occlusion", "occluded", (RESNET,)),
        )
    ),
    *(
        Claim(
            f"Pretraining with the camera helps touch more than MoCo on touch alone: {question}",
            "ours",
            GRASPS,
            _grasped(question),
            ABOVE,
        )
        for question in (
            "success, linear probe",
            "success, knn probe",
            "family, linear probe",
            "family, knn probe",
            "success, predictor",
        )
    ),
)
