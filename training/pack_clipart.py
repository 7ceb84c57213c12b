r"""Pack drawings of the Open Clip Art Library, which only training looks at.

Run it only to change the set of classes. One sheet holds at most one drawing of a class, so there
are several. Get Debian's package ``openclipart-png``, then::

    apt-get download openclipart-png && dpkg -x openclipart-png_*.deb FOLDER
    python -m training.pack_clipart --clipart FOLDER --out assets/scenes/training
"""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import Image

from pruneviz.scenes.vocabulary import CLASSES, CLIPART_STYLES
from training.pack_art import fill_cell, run, write_sheet

logger = logging.getLogger(__name__)
CELL = 72
# Class, then the names of the files that show one such thing and nothing else; all were looked at.
_DRAWINGS = """
    cat: cartoon_cat_gerald_g._01 gatto_cat_architetto_fra_03 gatto_cat_architetto_fra_04
        gatto_cat_architetto_fra_02 gattina_cat_architetto_f_01
    dog: dog_01_drawn_with_strai_01 dog_03_drawn_with_strai_01 dog_06_drawn_with_strai_01
        bored_dog_01 black_lab_ganson
    pig: a_simple_pig_01 pig_marcelo_caiafa1
    frog: rana01_architetto_france_01 rana02_architetto_france_01 rana03_architetto_france_01
    lion: leone_01_architetto_fran_01 leone_02_architetto_fran_01 leone_architetto_frances_01
    elephant: contour_elephant elefante01_architetto_fr_01 elefante02_architetto_fr_01
        elefantone
    penguin: emperor_penguin_ralf_ste_01 new_penguin_charles_mcco_01 Pinguino1 Pinguino4
    owl: owl_on_branch_ganson gufo_civetta_architetto__01
    butterfly: butterfly_jonathan_dietr_01 butterfly_jonvdveen_01 farfalla_butterfly_fra1
        farfalla_semplice_archit_01 farfalla_contorno_archit_01
    fish: brown_fish_01 altum_angelfish_01 bofish_massimo_aiello_r pescetto_arancione_archi_01
        pescetto
    turtle: turtle_jurgen_gaeremyn_01
    horse: cavallo_architetto_franc_05 cavallo_architetto_franc_01 cavallo_architetto_franc_03
        cavallo_architetto_franc_07
    apple: an_apple_01 another_apple_01 apple cartoon_apple_k_yager_01
        apple_bitten_dan_gerhard_01
    banana: banana bananas_nicu_buculei_01
    lemon: lemon lemon_simple lemon_whole_ganson
    cherry: cherries cherry_jean_victor_balin_ cherry_jonathan_dietrich_01
    watermelon: watermelon_james_kilfige_01 watermelon_simple
    strawberry: strawberry strawberry_01 strawberry_jonathan_diet_01 strawberry_simple
    pineapple: pineapple
    carrot: what_s_up_doc_01
    pear: green_pear_01 pear pear_01 pear_simple pera_architetto_francesc_01
    pizza: pizza_4_stagioni_archite_01 pizza_cheese pizza_pepperoni pizza_slice_fco._andrade_01
    hamburger: burger_http_www.treebui_r hamburger_ganson
    cake: birthday_cake cake_etienne_bersac_r pink_cake_gabrielle_now_r
        flat_cake_jean-victor_ba_01 torta_architetto_frances_01
    cheese: cheese_01
    egg: fried_egg half_egg_jean-victor_bal_01
    car: sportcar_sergio_luiz_ara_01 car_jamin_ellis_ car
    bus: bus1_jarno_vasamaa_01 bus2_jarno_vasamaa_01 bus1_bw_jarno_vasamaa_01
    train: kiddy_train_orlando_kara_
    bicycle: bicycle_01
    boat: boat_jarno_vasamaa1 boat_jarno_vasamaa_ sailboat_illustration
    rocket: rocket
    tractor: trattore_architetto_fran_01
    guitar: electric_guitar_andrea__01r guitar_ganson guitar_jarno_vasamaa1
        guitar_profile_philippe__01
    trumpet: trumpet_b_flat_colour_ganso trumpet_pocket_colour_ganso
    violin: violin_colour_ganson
    drum: africandrum_benji_park2 africandrum_benji_park_ djambf_ganson
    piano: piano_geraint_luff_01
    cactus: cacuts_01
    tree: tree_whit_fruits_01 fall_coloured_tree_geral_01 cartoon_tree_01 tree
        albero_architetto_france_01
    tulip: tulips_ganson
    rose: rose
    mushroom: mushroom mushroom_benji_park_ toadstool_daniel_steele_r
    hat: adventurer_hat_nicu_bucu_01 hat_-_clothing_nicu_bucu_03 hat_-_clothing_nicu_bucu_05
        tophat_benji_park_01 purple_hat_nicu_buculei_01
    shirt: t-shirt_01 t-shirt_03
    dress: vestito_rosa
    shoe: hiking_boot_jarno_vasama_ tennis_shoe_jarno_vasama_
    sock: calzettoni
    hammer: blacksmith_hammer_ganson construction_hammer_jon__01 hammer_nicu_buculei_01
        hammer_peterm1
    axe: axe_peterm_
    magnet: calamita_architetto_fran_01
    key: chiave_architetto_france_01
    ball: football_ball_brice_boye_01 soccer_ball_ganson soccer_ballon_tanguy_jac_ beach_ball_01
        beachball_v0.1
    teddy: simple_teddy_bear_gerald_01 stylized_teddy_bear_gera_01 teddybear_jarno_vasamaa_
        simple_teddy_bear_with__01
    balloon: balloon-red-aj balloon-blue-aj
    umbrella: canada_umbrella_ganson umbrella
    clock: alarm_clock_mike_powers_ clock01 modern_clock_chris_kemps_01
        analog_clock_jonathan_di_01 orologio_da_parete_archi_01
    book: book_01 closed_book_01 paperback_book_black_gal_ book_02 stara_ksiega_-_old_book_01
    camera: digital_camera_nicu_bucu_01 camera_michael_tunniclif_01
        macchina_fotografica_di_01
    chair: sedia_in_legno_architett_01 poltrona_ufficio_archite_01
"""


def drawings() -> dict[str, tuple[str, ...]]:
    """Return the names of the files of each class, without their endings."""
    found: dict[str, list[str]] = {}
    for word in _DRAWINGS.split():
        if word.endswith(":"):
            files = found.setdefault(word[:-1], [])
        else:
            files.append(word)
    return {name: tuple(files) for name, files in found.items()}


def _open(path: Path) -> Image.Image:
    with Image.open(path) as picture:
        return fill_cell(picture.convert("RGBA"), CELL)


def pack(_: str, package: Path, out: Path) -> Path:
    """Write the sheets; a class that a sheet has no drawing for leaves its cell clear.

    Parameters
    ----------
    package : Path
        The unpacked Debian package.
    out : Path
        Folder to write to.

    Returns
    -------
    Path
        That folder.
    """
    # Icons of programs have the names of things too. Some files lie in several folders.
    paths = sorted(p for p in package.rglob("*.png") if "icons" not in p.parts)
    files = {path.stem: path for path in reversed(paths)}
    chosen = drawings()
    for index, style in enumerate(CLIPART_STYLES):
        names = [chosen.get(entry.name, ())[index : index + 1] for entry in CLASSES]
        drawn = [_open(files[name[0]]) if name else None for name in names]
        target = write_sheet(drawn, CELL, out / f"{style}.webp")
        logger.info("%s: %d pictures", target, sum(map(bool, names)))
    return out


if __name__ == "__main__":
    run(("clipart",), pack, Path("assets/scenes/training"), __doc__)
