"""What all tabs ask about: picture, question and examples."""
