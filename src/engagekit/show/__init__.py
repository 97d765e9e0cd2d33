"""What people look at: pictures and pages made of scores, as SVG and HTML that bring all they need."""
