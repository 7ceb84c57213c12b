"""The whole model in training: tower, projector and decoder joined to a stock LLaVA."""

from __future__ import annotations

import copy
import logging
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    CLIPImageProcessorPil,
    GenerationConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)

from training.architecture import build_llava
from training.settings import Settings
from training.symbolic import SymbolicModel, special_ids
from training.tokenizer import CHAT_TEMPLATE, IMAGE, build_tokenizer, token_id
from training.tower import LabelledTower

logger = logging.getLogger(__name__)


class WholeModel(nn.Module):
    """A stock LLaVA whose tower and decoder are those of the earlier stages.

    Attributes
    ----------
    llava : LlavaForConditionalGeneration
        What ships.
    heads : PatchHeads
        Read-outs of patch labels; dropped after training.
    symbols : SymbolicModel
        Gives the embeddings that the projector imitates; shares the decoder.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        labelled = LabelledTower(settings)
        self.heads = labelled.heads
        self.symbols = SymbolicModel(settings)
        self.llava: LlavaForConditionalGeneration = build_llava(
            settings.model, len(build_tokenizer()), special_ids(), token_id(IMAGE)
        )
        self.llava.model.vision_tower = labelled.tower
        self.llava.model.language_model = self.symbols.decoder
        self.llava.tie_weights()

    def load_stages(self, folder: Path) -> None:
        """Take over what the tower and symbolic stages have learned so far."""
        tower = torch.load(folder / "tower.pt", map_location="cpu", weights_only=True)["module"]
        prefixes = (("tower.", self.llava.model.vision_tower), ("heads.", self.heads))
        for prefix, part in prefixes:
            own = {k.removeprefix(prefix): v for k, v in tower.items() if k.startswith(prefix)}
            part.load_state_dict(own)
        self.load_symbols(folder)

    def load_symbols(self, folder: Path) -> None:
        """Take over the decoder and its symbols from the symbolic stage."""
        state = torch.load(folder / "symbolic.pt", map_location="cpu", weights_only=True)
        self.symbols.load_state_dict(state["module"])

    def take_tower(self, folder: Path) -> None:
        """Take over the tower of a model folder."""
        given = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        self.llava.model.vision_tower.load_state_dict(given.model.vision_tower.state_dict())

    def take(self, folder: Path) -> None:
        """Take over a whole model folder; words that it does not know begin at random.

        Parameters
        ----------
        folder : Path
            A model of the same sizes. What only training uses, read-outs of patches and the
            places of symbols, is not in it.
        """
        given = LlavaForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
        state = given.model.state_dict()
        name = "language_model.embed_tokens.weight"
        table = self.llava.model.state_dict()[name].clone()
        theirs = AutoTokenizer.from_pretrained(folder).get_vocab()
        for word, row in build_tokenizer().get_vocab().items():
            if word in theirs:
                table[row] = state[name][theirs[word]]
        self.llava.model.load_state_dict({**state, name: table})

    def see(self, pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Encode pictures.

        Parameters
        ----------
        pixels : Tensor, float32, shape (batch, 3, side, side)
            Normalised.

        Returns
        -------
        patches : Tensor, shape (batch, 256, vision width)
            The tower's penultimate layer.
        pooled : Tensor, shape (batch, vision width)
            The class token after the last layer.
        visual : Tensor, shape (batch, 256, text width)
            The projected patches.
        """
        out = self.llava.model.vision_tower(pixels, output_hidden_states=True)
        patches = out.hidden_states[-2][:, 1:]
        return patches, out.pooler_output, self.llava.model.multi_modal_projector(patches)


def build_processor(settings: Settings) -> LlavaProcessor:
    """Build the processor: CLIP's preparation of pictures and the own tokenizer."""
    side = settings.model.image_size
    # Squashed to the square, not cut: all of an upload is seen, and places keep their names.
    pictures = CLIPImageProcessorPil(size={"height": side, "width": side}, do_center_crop=False)
    return LlavaProcessor(
        image_processor=pictures,
        tokenizer=build_tokenizer(),
        patch_size=settings.model.patch_size,
        vision_feature_select_strategy="default",
        chat_template=CHAT_TEMPLATE,
        image_token=IMAGE,
        num_additional_image_tokens=1,
    )


def export(model: WholeModel, settings: Settings, folder: Path) -> None:
    """Write the folder that ships: half precision weights, configuration, processor.

    Parameters
    ----------
    model : WholeModel
        Trained or not.
    settings : Settings
        Its settings.
    folder : Path
        Where to write; other files there (the model card) stay.
    """
    llava = copy.deepcopy(model.llava).half().eval()
    llava.config.dtype = torch.float16
    llava.generation_config = GenerationConfig(**special_ids(), max_new_tokens=24, do_sample=False)
    llava.save_pretrained(folder)
    build_processor(settings).save_pretrained(folder)
    size = sum(f.stat().st_size for f in folder.iterdir() if f.is_file())
    logger.info("wrote %s, %.1f MB", folder, size / 1e6)
