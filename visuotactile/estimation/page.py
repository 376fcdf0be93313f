"""Page of `visuotactile estimate hardness`: each clip, the fit over its contact, and the estimate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from PIL import Image, ImageDraw

from visuotactile.datasets.clips import Clip, chosen_frames, contact_growth
from visuotactile.estimation.contact_mechanics import FRAMES, ContactMechanics, summary
from visuotactile.estimation.estimator import Estimator, Known, Measured
from visuotactile.estimation.imprint import Imprint
from visuotactile.estimation.scales import readings, spoken
from visuotactile.mechanics.hertz import share_of_second
from visuotactile.reports.charts import Series, plot
from visuotactile.reports.page import data_uri, environment

HEIGHT = 150
"""Pixels of a frame on the page."""
PLAYED = 30
"""Most frames of the film."""
GAIN = 3.0
"""Factor of the change of brightness in the second row of frames."""


@dataclass(frozen=True, kw_only=True)
class Card:
    """One clip on the page.

    Attributes:
        name: of the clip.
        readings: scale → value and interval, in words.
        film: the clip, playing, as an address.
        frames: (caption, frame, change against the bare gel), as addresses.
        chart: fit over the contact, or growth of the contact.
        legend: sentence on the chart.
        scale: estimate and interval among samples of known hardness.
        compliance: R/E* and its interval in words; "" where the estimator has none.
    """

    name: str
    readings: dict[str, str]
    film: str
    frames: list[tuple[str, str, str]]
    chart: Markup
    legend: str
    scale: Markup
    compliance: str

    @classmethod
    def of(
        cls, clip: Clip, measured: Measured, result: dict[str, Any], estimator: Estimator, known: Known
    ) -> Card:
        """The card of a clip with its estimate.

        Args:
            clip: the clip.
            measured: its arrays […].
            result: its entry in the results of `hardness`.
            estimator: the estimator.
            known: radius and sensor, [1] each.
        """
        growth, touched = contact_growth(clip)
        chosen = chosen_frames(growth, touched, FRAMES)
        compliance = ""
        circles: list[tuple[float, float, float]] = []
        if isinstance(estimator, ContactMechanics):
            chart, legend = _fit_chart(measured, estimator, known)
            window = estimator.window
            circles = [(i.x / window, i.y / window, i.contact / window) for i in map(_imprint, measured)]
            (value,), (doubt,) = estimator.compliance(measured[None], known)
            low, high = value * np.exp(-1.645 * doubt), value * np.exp(1.645 * doubt)
            compliance = f"{1e9 * value:.1f} [{1e9 * low:.1f}, {1e9 * high:.1f}] mm/MPa"
        else:
            chart, legend = _growth_chart(growth, chosen)
        return cls(
            name=clip.name,
            readings=spoken(result["readings"]),
            film=_film(clip),
            frames=[
                (f"frame {t}", *_pictures(clip, int(t), circles[n] if circles else None))
                for n, t in enumerate(chosen)
            ],
            chart=chart,
            legend=legend,
            scale=_scale(result, estimator),
            compliance=compliance,
        )


def page(
    cards: list[Card], estimator: Estimator, level: float, radius_mm: float | None, made: dict[str, Any]
) -> str:
    """The page."""
    data = estimator.meta.get("data", {})
    low, high = (spoken(readings(end, end, end))["Shore 00"].partition(" ")[0] for end in estimator.span)
    return (
        environment("visuotactile.estimation")
        .get_template("hardness.html")
        .render(
            cards=cards,
            kind=estimator.kind,
            level=level,
            radius_mm=radius_mm,
            trained=data.get("training_examples"),
            samples=len(data.get("training_objects", ())),
            store=data.get("store", ""),
            simulated="simulated" in str(data.get("store", "")),
            span=(low, high),
            provenance=made,
        )
    )


def _imprint(values: Measured) -> Imprint:
    return Imprint(*values.tolist())


def _fit_chart(measured: Measured, estimator: ContactMechanics, known: Known) -> tuple[Markup, str]:
    """Slope at the contact's rim against the contact radius, with the fitted line and lines of known
    moduli."""
    (curvature,), (variance,) = estimator.curvature(measured[None], known)
    imprints = [_imprint(values) for values in measured]
    gain = np.exp(-curvature) * np.exp(summary(measured[None])[0][0])
    contact = np.array([each.contact for each in imprints])
    slope = np.array([each.brightness * each.contact for each in imprints]) / gain
    spread = np.sqrt(np.array([each.variance for each in imprints]))
    line = np.linspace(0, contact.max() * 1.1, 40)
    middle, doubt = np.exp(curvature), 1.645 * np.sqrt(variance)
    series = [
        Series(
            "", line, middle * line, 0, True, middle * line * np.exp(-doubt), middle * line * np.exp(doubt)
        ),
        Series(
            "",
            contact,
            slope,
            0,
            False,
            slope * np.exp(-spread),
            slope * np.exp(spread),
            [f"contact {a:.2f} mm, slope {s:.3f}" for a, s in zip(contact, slope, strict=True)],
        ),
    ]
    legend = (
        "Each dot is a frame: contact radius, and slope of the gel's surface at its rim. Under a ball it is "
        "in proportion (Hertz); the line's steepness is the imprint's curvature κ, which tells R/E* and no "
        "more."
    )
    if known.radius is not None:
        for number, log in enumerate(np.linspace(*estimator.span, 5)):
            kappa = float(share_of_second(10**log, estimator.gel_modulus)) / (known.radius[0] * 1e3)
            name = f"Shore 00 {spoken(readings(log, log, log))['Shore 00'].partition(' ')[0]}"
            series.append(Series(name, line, kappa * line, 1 + number, True, dashed=True))
        legend += " Dashed: samples of this radius, from the softest to the hardest of the training."
    return (
        plot(
            series,
            x_label="contact radius [mm]",
            origin=True,
            y_label="slope at the rim",
            description="slope against contact",
        ),
        legend,
    )


def _growth_chart(growth: np.ndarray[Any, Any], chosen: np.ndarray[Any, Any]) -> tuple[Markup, str]:
    frames = np.arange(len(growth))
    series = [
        Series("", frames, growth, 0, True),
        Series("", chosen, growth[chosen], 1, tips=[f"frame {t}" for t in chosen]),
    ]
    return (
        plot(series, x_label="frame", y_label="change [grey levels]", description="growth of the contact"),
        "Growth of the contact, and frames at equal steps of it, as the estimator takes them.",
    )


def _scale(result: dict[str, Any], estimator: Estimator) -> Markup:
    """The estimate on the Shore 00 scale, among the numbers that the estimator was fitted to."""
    found = result["readings"]["Shore 00"]
    low, high = (readings(end, end, end)["Shore 00"]["value"] for end in estimator.span)
    series = [
        Series("", [low, high], [0, 0], 7, True),
        Series("", [found["low"], found["high"]], [0, 0], 0, True),
        Series("", [low, high], [0, 0], 7, tips=["softest sample of the training", "hardest sample"]),
        Series("", [found["value"]], [0], 1, tips=["the estimate"]),
    ]
    return plot(
        series, x_label="Shore 00", y_label="", description="the estimate on the Shore 00 scale", height=96
    )


def _film(clip: Clip) -> str:
    places = np.linspace(0, len(clip.frames) - 1, min(PLAYED, len(clip.frames))).round().astype(int)
    frames = [_resized(clip.frames[t], 2 * HEIGHT) for t in places]
    return data_uri(
        frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=120, loop=0, quality=70
    )


def _pictures(clip: Clip, t: int, circle: tuple[float, float, float] | None) -> tuple[str, str]:
    """A frame, with the contact's rim if it was fitted, and its change against the bare gel."""
    change = 127.5 + GAIN * (clip.frames[t].astype(np.float32) - clip.reference)
    addresses = []
    for pixels in (clip.frames[t], np.clip(change, 0, 255).astype(np.uint8)):
        image = _resized(pixels, HEIGHT)
        if circle is not None:
            x, y, a = (part * image.width for part in circle)
            ImageDraw.Draw(image).ellipse((x - a, y - a, x + a, y + a), outline=(255, 255, 255), width=1)
        addresses.append(data_uri(image, "WEBP", quality=80))
    return addresses[0], addresses[1]


def _resized(pixels: np.ndarray[Any, Any], height: int) -> Image.Image:
    width = max(1, round(pixels.shape[1] * height / pixels.shape[0]))
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR)
