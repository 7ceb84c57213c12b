"""What all model families share: adapter, decoder, vision encoder, loading."""
