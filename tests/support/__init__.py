"""What tests stand on: a desk that speaks the domain's words, and real servers started on free ports."""
